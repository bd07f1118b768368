"""Freeing what no run refers to: values, cached results, captured code, and runs half deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from kalelite.errors import UsageError
from kalelite.executor.result_cache import prune
from kalelite.frozen import frozen
from kalelite.humanize import near_path
from kalelite.marshal import Store
from kalelite.runs.pipeline_run import Run, list_runs
from kalelite.runs.run_dirs import run_ids, runs_folder
from kalelite.volumes.folder_clone import remove_folder

TRASH = ".deleted-"
"""What the name of a run's folder begins with once it is to go: no run is called so."""

_LEFT_BEHIND = 86_400.0
_CODE_AGE = 3_600.0


@frozen
class FreedSpace:
    """How many files and bytes were freed, or would be; ``kept`` is how many values stay."""

    files: int
    size: int
    kept: int


def free(
    home: Path,
    *,
    older_than: float,
    without: Collection[str] = (),
    dry: bool = False,
) -> FreedSpace:
    """Remove what no run refers to, but what was stored in the last ``older_than`` seconds.

    ``without`` are the ids of runs that do not count; with ``dry`` nothing is removed. A cached
    result holds no value: it goes with the last run that refers to its values.

    Raises `UsageError`: a run cannot be read, so nobody knows what it refers to.
    """
    runs = [run for run in list_runs(folder=home) if run.id not in without]
    _refuse_unread(home, {*without, *(run.id for run in runs)})
    keep = {str(entry["ref"]) for run in runs for entry in run.outputs().values() if "ref" in entry}
    files = size = 0
    if (home / "store").is_dir():
        store = Store(home / "store")
        freed = store.collect(keep, older_than=older_than, dry=dry)
        files, size = freed.count, freed.size
        if not dry:
            for cache in caches(home):
                prune(cache, keep)
            left = store.sweep(older_than=max(older_than, _LEFT_BEHIND))
            files, size = files + left.count, size + left.size
    for folder in (*_unused_code(home, runs), *_trash(home)):
        size += size_of(folder)
        files += 1
        if not dry:
            remove_folder(str(folder))
    return FreedSpace(files, size, len(keep))


def caches(home: Path) -> list[Path]:
    """The folders of results by their keys: that of all runs, and one for each sweep."""
    return [home / "cache", *home.glob("sweeps/*/results")]


def _refuse_unread(home: Path, known: Collection[str]) -> None:
    base = runs_folder(home)
    unread = [id for id in run_ids(base) if id not in known]
    if unread:
        raise UsageError(
            f"the record of run {unread[0]} cannot be read, so its values are not known",
            hint=f"Remove {near_path(str(base / unread[0]))} if the run is not needed any more.",
        )


def _unused_code(home: Path, runs: Iterable[Run]) -> list[Path]:
    """The folders of code that no run has, but those that one may be about to have."""
    used = {Path(run.data["code"]).name for run in runs if "code" in run.data}
    before = time.time() - _CODE_AGE
    folders = (home / "code").glob("[!.]*")
    return [one for one in folders if one.name not in used and one.stat().st_mtime < before]


def _trash(home: Path) -> list[Path]:
    """Runs whose deletion did not come to its end."""
    return list(runs_folder(home).glob(f"{TRASH}*"))


def size_of(folder: Path) -> int:
    """The bytes on the disk that go with a folder: not those of files with other names, too."""
    states = (os.lstat(f"{root}/{name}") for root, _, names in os.walk(folder) for name in names)
    return sum(state.st_blocks * 512 for state in states if state.st_nlink == 1)
