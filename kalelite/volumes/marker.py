"""A file that proves what a clone is a clone of.

It is written to a volume before its snapshot is taken, and the first step that mounts the clone
looks for it: an empty volume in the clone's place, or the clone of another run's snapshot, is
found before any of the user's code runs. Travels to pods: standard library only.
"""

from __future__ import annotations

from pathlib import Path

from kalelite.errors import ClusterError


def verify(folder: str | Path, run: str) -> None:
    """Raise `ClusterError` unless this volume is a clone of the one that was marked for the run."""
    path = mark_path(folder, run)
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


def mark_path(folder: str | Path, run: str) -> Path:
    """Where the mark of a run is on a volume."""
    return Path(folder, ".kalelite-snapshots", run)
