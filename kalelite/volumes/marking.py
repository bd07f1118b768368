"""Marking volumes while snapshots of them are taken, for `kalelite.volumes.marker` to look for.

A mark is locked by the process that made it: one whose process was killed goes with the next.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from kalelite.volumes.marker import mark_path


@contextmanager
def marked(folder: str | Path, run: str) -> Iterator[bool]:
    """Mark a mounted volume, on its disk, for as long as the block lasts.

    False if the volume cannot be written. Marks that were left by processes that died are removed.
    """
    path, done = mark_path(folder, run), False
    with ExitStack() as left:
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            left.callback(_try, path.parent.rmdir)  # another mark may be there
            _sweep(path.parent)
            if not path.exists():  # a volume may be mounted twice
                file = left.enter_context(_locked(path))
                left.callback(_try, path.unlink)
                file.write(run.encode())
                os.fsync(file.fileno())
            done = True
        yield done


def _try(deed: Callable[[], None]) -> None:
    with suppress(OSError):
        deed()


def _locked(path: Path) -> FileIO:
    while True:
        file = path.open("xb", buffering=0)
        with suppress(OSError):  # a filesystem without locks: nothing is swept there
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was swept before it was locked


def _sweep(marks: Path) -> None:
    for path in marks.iterdir():
        with suppress(OSError), path.open("rb") as file:  # in use, gone, or of another user
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
