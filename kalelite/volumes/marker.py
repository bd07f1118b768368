"""A file that proves what a clone is a clone of.

It is written to a volume before its snapshot is taken, and the first step that mounts the clone
looks for it: an empty volume in the clone's place, or the clone of another run's snapshot, is
found before any of the user's code runs. A mark is locked by the process that made it: one whose
process was killed goes with the next. Travels to pods: standard library only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from kalelite.errors import ClusterError


@contextmanager
def marked(folder: str | Path, run: str) -> Iterator[bool]:
    """Mark a mounted volume, on its disk, for as long as the block lasts.

    False if the volume cannot be written. Marks that were left by processes that died are removed.
    """
    path, done = _path(folder, run), False
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


def verify(folder: str | Path, run: str) -> None:
    """Raise `ClusterError` unless this volume is a clone of the one that was marked for the run."""
    path = _path(folder, run)
    try:
        found = path.read_text("utf-8")
    except FileNotFoundError:
        found = ""
    if found != run:
        what = "another volume" if any(Path(folder).iterdir()) else "an empty volume"
        raise ClusterError(
            f"the volume at {folder} is not the clone of the snapshot of run {run}: the mark"
            " that was written before the snapshot is not there",
            hint=f"The storage driver made {what} in its place. No step was run on it.",
        )


def _path(folder: str | Path, run: str) -> Path:
    return Path(folder, ".kalelite-snapshots", run)
