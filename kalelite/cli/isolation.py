"""``--isolate``: a script runs in a clone of its workspace, which is then left as it was."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.errors import UsageError
from kalelite.home_folder import home
from kalelite.humanize import count, duration, near_path, size
from kalelite.settings import Value
from kalelite.volumes.claimed_folder import claimed, sweep
from kalelite.volumes.folder_clone import clone_folder, keep_changed, remove_folder, states_of
from kalelite.volumes.workspace import workspace

if TYPE_CHECKING:
    from kalelite.cli.command import Command

_SHOWN = 5


@contextlib.contextmanager
def isolated(command: Command) -> Iterator[Command]:
    """Stand in a clone of the workspace; the command as it is to be performed there.

    Runs and values go to the home as ever. At the end the clone keeps the files that were written
    to it, and goes if there are none.

    Raises `UsageError`: the script stands outside of the workspace, or there is no room.
    """
    screen = command.err if command.as_json else command.out
    source, base = workspace(), home(command.home)
    script = _script_inside(command.options.script, source)
    folder = base / "isolated" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
    sweep(folder.parent)
    clone = folder / (source.name or "root")
    with claimed(folder):
        begun = time.monotonic()
        try:
            made = clone_folder(str(source), str(clone), leave_out=(str(base),))
        except BaseException as error:
            remove_folder(str(folder))
            if isinstance(error, OSError):
                raise UsageError(f"{source} cannot be cloned: {error}") from error
            raise
        took = duration(time.monotonic() - begun)
        what = f"{count(made.files, 'file')}, {size(made.size)}"
        screen.line(f"isolated in a clone of {source} ({what}), made in {took}")
        if made.left_out:
            screen.line(f"left out of it: {_few(made.left_out)}")
        before = states_of(str(clone))
        given = {**command.settings, "home": Value("home", str(base), "--isolate")}
        try:
            with _standing_in(clone, source, base):
                options = argparse.Namespace(**{**vars(command.options), "script": script})
                yield replace(command, options=options, settings=given)
        finally:
            written, removed = map(_of_user, keep_changed(str(clone), before))
            if written:
                place = near_path(str(clone))
                screen.line(f"written in the clone, kept in {place}: {_few(written)}", fit="keep")
            else:
                remove_folder(str(folder))
            if removed:
                screen.line(f"removed in the clone only: {_few(removed)}", fit="keep")


def _of_user(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if "__pycache__/" not in path]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _script_inside(script: str | None, source: Path) -> str | None:
    """The script as it is called in the clone: a path that is absolute becomes a relative one."""
    if not script:
        return script
    folder, name = os.path.split(script)
    place = Path(os.path.realpath(folder), name)
    if not place.is_relative_to(source):
        raise UsageError(
            f"{script} stands outside of the workspace {source}, of which --isolate makes a clone",
            hint="Go to the folder of its project first.",
        )
    return os.path.relpath(place) if os.path.isabs(script) else script


@contextlib.contextmanager
def _standing_in(clone: Path, source: Path, base: Path) -> Iterator[None]:
    """Be in the clone as one was in the workspace: current folder, import path, home."""
    start, path, before = Path.cwd(), list(sys.path), dict(os.environ)
    here = clone / start.relative_to(source)
    (clone / ".kalelite").symlink_to(base)  # so that it is found from here, and marks a workspace
    sys.path[:] = [_moved(entry, source, clone) for entry in path]
    os.environ.update(KALELITE_HOME=str(base), PWD=str(here))
    os.chdir(here)
    try:
        yield
    finally:
        os.chdir(start)
        sys.path[:] = path
        for name in ("KALELITE_HOME", "PWD"):
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})
        (clone / ".kalelite").unlink(missing_ok=True)


def _moved(entry: str, source: Path, clone: Path) -> str:
    """An entry of ``sys.path`` in the clone, if there is one; not one of a virtual environment."""
    if not entry or not Path(entry).is_relative_to(source):
        return entry
    there = clone / Path(entry).relative_to(source)
    real = Path(os.path.realpath(there))
    return str(there) if real.is_relative_to(clone.resolve()) and there.is_dir() else entry
