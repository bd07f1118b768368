"""What a run on other machines may be expected to keep of the run that it goes on from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.authoring.events import RunResumed
from kalelite.humanize import short_name
from kalelite.runs.code_texts import CodeTexts
from kalelite.runs.explain import Side, changes
from kalelite.runs.kept_results import read_keys
from kalelite.runs.run_dirs import task_of

if TYPE_CHECKING:
    from kalelite.executor.task_key import TaskKey
    from kalelite.runs.reading import RunRecord
    from kalelite.runs.task_state import TaskState


def expected(run: RunRecord, earlier: RunRecord) -> RunResumed:
    """What is kept and what runs, as far as the code tells, and why.

    Where a step runs it decides by all else: what it is given, versions of libraries, files.
    """
    old, new = read_keys(earlier.folder), read_keys(run.folder)
    steps = {task["id"]: task["step"] for task in run.data["tasks"]}
    fresh = set(run.data.get("fresh", ()))
    kept: list[str] = []
    again: list[tuple[str, str]] = []
    after: dict[str, None] = {}
    for name, task in earlier.tasks.items():
        id = task_of(name)
        if id not in new or task.status == "skipped":
            continue
        sources = {source for found in new[id].sources.values() for source in found}
        if sources & {*after, *map(task_of, (each for each, _ in again))}:
            after[id] = None
        elif not {id, steps[id]}.isdisjoint(fresh):
            again.append((name, "--refresh was given"))
        elif task.status not in {"succeeded", "cached"}:
            again.append((name, _unfinished(task, earlier)))
        elif id in old and (why := _changed(steps[id], old[id], new[id])):
            again.append((name, why))
        else:
            kept.append(name)
    return RunResumed(tuple(kept), tuple(again), tuple(after))


def _unfinished(task: TaskState, run: RunRecord) -> str:
    failure = task.record.failure if task.record is not None else None
    if failure is not None:
        return f"it failed: {short_name(failure.type)}: {failure.message}"
    return f"it had not ended in run {run.id}"


def _changed(step: str, old: TaskKey, new: TaskKey) -> str:
    """What changed in the code of a step; its diff is that of `kalelite explain`."""
    none = CodeTexts({}, {})
    same = replace(new, lineage=old.lineage)
    found = changes(Side(step, old, {}, none), Side(step, same, {}, none))
    return "; ".join(change.text for change in found)
