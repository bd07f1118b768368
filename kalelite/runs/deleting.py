"""Deleting runs: which may go, and how they go so that a crash leaves none of them half there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.runs.freeing import TRASH, FreedSpace, caches, free, size_of
from kalelite.runs.kept_results import read_kept
from kalelite.runs.pipeline_run import Run, list_runs
from kalelite.runs.run_filter import RunFilter
from kalelite.volumes.folder_clone import remove_folder


@frozen
class Deletion:
    """The runs that go, and those that would and stay, each with the reason."""

    gone: tuple[Run, ...]
    kept: tuple[tuple[Run, str], ...]


def chosen(
    runs: Sequence[Run], filters: RunFilter, *, age: float | None, keep: int, now: float
) -> Deletion:
    """Which of all runs, newest first, go: none with a name, none of the newest of a pipeline.

    ``age`` is in seconds, since the end of a run; of the runs that the filters mean, the newest
    ``keep`` of each pipeline stay.
    """
    seen: dict[str, int] = {}
    found: list[Run] = []
    for run in filter(filters.holds_for, runs):
        seen[run.pipeline] = seen.get(run.pipeline, 0) + 1
        ended = float(run.data.get("finished") or run.data["started"])
        old = age is None or ended < now - age
        if old and seen[run.pipeline] > keep:
            found.append(run)
    named = [(run, f"it is called {run.tags.name}") for run in found if run.tags.name]
    return _spared(runs, [run for run in found if not run.tags.name], tuple(named))


def given(runs: Sequence[Run], wanted: Sequence[Run]) -> Deletion:
    """The runs that were given themselves.

    Raises `UsageError`: one of them is still needed; then none goes.
    """
    ids = {run.id for run in wanted}
    deletion = _spared(runs, [run for run in runs if run.id in ids], ())
    if deletion.kept:
        run, why = deletion.kept[0]
        raise UsageError(f"run {run.id} cannot be deleted: {why}")
    return deletion


def _spared(
    runs: Sequence[Run], found: Sequence[Run], kept: tuple[tuple[Run, str], ...]
) -> Deletion:
    """Without those that go on, and those that a run which stays may still go on from."""
    spared = {run.id: (run, "it is still going on") for run in found if run.state == "running"}
    going = {run.id: run for run in found if run.id not in spared}
    for run in runs:  # newest first, so a run comes before what it goes on from
        base = going.get(run.resumes)
        if run.id not in going and base is not None and run.state != "succeeded":
            spared[base.id] = (base, f"run {run.id} has gone on from it and is not done")
            del going[base.id]
    return Deletion(tuple(going.values()), (*kept, *spared.values()))


def delete(home: Path, runs: Sequence[Run]) -> FreedSpace:
    """Remove runs, and then what no other run refers to.

    Each run has first another name, by which nobody lists it; what a crash leaves then goes with
    the next deletion. Raises `UsageError` if another run cannot be read.
    """
    began, size, trash = time.monotonic(), 0, []
    left = [run for run in list_runs(folder=home) if run.id not in {one.id for one in runs}]
    _hand_on_cached(home, left, {run.folder for run in runs})
    for run in runs:
        if run.state == "running":  # it has been taken up meanwhile
            continue
        target = run.folder.with_name(f"{TRASH}{run.id}")
        size += size_of(run.folder)
        run.folder.rename(target)
        trash.append(target)
    for folder in trash:
        remove_folder(str(folder))
    freed = free(home, older_than=_safe_age(left, began))
    return FreedSpace(freed.files + len(trash), freed.size + size, freed.kept)


def would_free(home: Path, runs: Sequence[Run]) -> FreedSpace:
    """What `delete` would free."""
    ids = {run.id for run in runs}
    left = [run for run in list_runs(folder=home) if run.id not in ids]
    freed = free(home, older_than=_safe_age(left, time.monotonic()), without=ids, dry=True)
    size = sum(size_of(run.folder) for run in runs)
    return FreedSpace(freed.files + len(runs), freed.size + size, freed.kept)


def _safe_age(left: Sequence[Run], began: float) -> float:
    """Seconds within which a value may be one that a run has stored and not yet noted."""
    going = any(run.state == "running" for run in left)
    return 3_600.0 if going else time.monotonic() - began


def _hand_on_cached(home: Path, left: Sequence[Run], gone: Collection[Path]) -> None:
    """Let cached results whose run goes be those of a run that stays and has taken them."""
    entries = {path: entry for path, entry in _cached(home) if _run_of(entry) in gone}
    if not entries:
        return
    taken = {
        _content(kept["record"]): run.folder / "tasks" / name
        for run in left
        for name, kept in read_kept(run.folder).items()
    }
    for path, entry in entries.items():
        folder = taken.get(_content(entry["record"]))
        if folder is not None:
            data = {**entry, "run": folder.parent.parent.name, "folder": str(folder)}
            write_atomically(path, json.dumps(data).encode())


def _cached(home: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in (path for cache in caches(home) for path in cache.glob("*/*.json")):
        with contextlib.suppress(OSError, ValueError):
            yield path, json.loads(path.read_bytes())


def _run_of(entry: Mapping[str, Any]) -> Path:
    return Path(entry["folder"]).parent.parent


def _content(record: Mapping[str, Any]) -> str:
    """What tells a result from others, in whichever run it stands."""
    same = (record["outputs"], record.get("artifacts", ()), record["started"])
    return json.dumps(same, sort_keys=True)
