"""Folders that belong to a process: when it has died, the next one removes what it left."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from kalelite.volumes.folder_clone import remove_folder

_LOCK = "in-use"
_mine: set[Path] = set()
"""This process's own: it could take its locks twice."""


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder that is this process's for as long as the block lasts.

    If it dies in it, `sweep` finds the folder. After the block it is like any other.
    """
    folder.mkdir(parents=True)
    lock, early = folder / _LOCK, folder / f"{_LOCK}.new"
    with early.open("w") as file:
        # Of this process alone: a lock by `flock` would pass to its forks.
        with contextlib.suppress(OSError):  # a filesystem without locks: it is not swept then
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            early.rename(lock)
        _mine.add(folder)
        try:
            yield
        finally:
            _mine.discard(folder)
            for path in (lock, early):
                path.unlink(missing_ok=True)


def sweep(parent: Path) -> None:
    """Remove the folders in a folder whose processes have died."""
    for lock in parent.glob(f"*/{_LOCK}"):
        if lock.parent not in _mine:
            with contextlib.suppress(OSError), lock.open("r+") as file:  # in use, or gone
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(str(lock.parent))
