"""A file that proves what a clone is a clone of.

It is written to a volume before its snapshot is taken, and the first step that mounts the clone
looks for it: an empty volume in the clone's place, or the clone of another run's snapshot, is
found before any of the user's code runs. Travels to pods: standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path

from kalelite.errors import ClusterError


def write(folder: str | Path, run: str) -> bool:
    """Mark a mounted volume, and have it reach the disk. False if the volume cannot be written."""
    path = _path(folder, run)
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write(run)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def remove(folder: str | Path, run: str) -> None:
    """Take the mark away again, and its folder if nothing else is in it."""
    path = _path(folder, run)
    try:
        path.unlink()
        path.parent.rmdir()
    except OSError:
        return


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
