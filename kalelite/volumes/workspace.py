"""Which folder is the workspace: what a run works in, and what is cloned for it."""

from __future__ import annotations

import contextlib
from pathlib import Path

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
