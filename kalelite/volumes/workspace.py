"""Which folder is the workspace: what a run works in, and what is cloned for it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kalelite.errors import UsageError

_MARKS = (".kalelite", ".git", "pyproject.toml", "setup.cfg")


def workspace() -> Path:
    """The project's folder: the nearest upwards from the current one with a mark of a project.

    Marks are ``.kalelite``, ``.git``, ``pyproject.toml`` and ``setup.cfg``. Without one it is the
    current folder. The user's home folder is the workspace only where it is the current one.
    """
    here = Path.cwd()
    stop = None
    with contextlib.suppress(RuntimeError):  # nobody knows where home is
        stop = Path.home().resolve()
    for folder in (here, *here.parents):
        if folder != here and folder in {stop, Path(folder.anchor)}:
            break
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    return here


def named_folder(volume: str) -> Path:
    """The folder that is meant: that of the project for ``"workspace"``, else the one of this path.

    Raises `UsageError` if there is none.
    """
    if volume == "workspace":
        return workspace()
    folder = Path(volume).expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {str(folder)!r} to take a snapshot of",
            hint="Name a folder, or 'workspace' for that of the project.",
        )
    return folder.resolve()
