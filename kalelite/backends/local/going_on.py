"""How a run begins that goes on from an earlier one: what is known is taken, before all else."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kalelite.authoring.events import RunResumed
from kalelite.errors import CorruptObjectError
from kalelite.executor import record_file
from kalelite.humanize import short_name
from kalelite.runs.code_texts import CodeTexts
from kalelite.runs.explain import Side, changes
from kalelite.runs.kept_results import read_kept, read_keys
from kalelite.runs.run_dirs import task_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kalelite.backends.local.task_requests import TaskRequestBuilder
    from kalelite.engine.progress import Progress
    from kalelite.engine.transitions import Ready
    from kalelite.executor.spec import Record
    from kalelite.executor.task_key import TaskKey
    from kalelite.runs.pipeline_run import Run


def take_up(progress: Progress, requests: TaskRequestBuilder) -> None:
    """Take what the run goes on from has, and tell what is kept, and what runs and why."""
    known = requests.known
    base = known.earlier or known.given
    if base is None:
        return
    left = progress.take_known(requests.recall, requests.log)
    kept = tuple(progress.records)
    keys = read_keys(base.run.folder)
    reasons = _Reasons(base.run, keys, requests)
    again = tuple((ready.instance.name, reasons.why(ready)) for ready in left)
    begun = {task_of(name) for name in (*kept, *progress.skipped, *(name for name, _ in again))}
    after = tuple(id for id in requests.tasks if id not in begun)
    progress.tell(RunResumed(kept, again, after))


class _Reasons:
    """Why instances run that an earlier run knows."""

    def __init__(self, run: Run, keys: Mapping[str, TaskKey], requests: TaskRequestBuilder) -> None:
        self._run = run
        self._keys = keys
        self._requests = requests
        self._kept = read_kept(run.folder)

    def why(self, ready: Ready) -> str:
        name, task = ready.instance.name, ready.instance.task
        step = self._requests.tasks[task].step.name
        if not {task, step}.isdisjoint(self._requests.known.settings.refresh):
            return "--refresh was given"
        if self._requests.known.earlier is None:
            return "it comes after"
        record = self._record(name)
        if record is None:
            return f"it had not ended in run {self._run.id}"
        if record.failure is not None:
            return f"it failed: {short_name(record.failure.type)}: {record.failure.message}"
        old, new = self._keys.get(task), self._requests.known.keys.get(task)
        if old is None or new is None:
            return "what it depends on is not known"
        none = CodeTexts({}, {})
        inputs = record_file.inputs_of(self._requests.spec(ready, 1).arguments)
        found = changes(Side(step, old, record.inputs, none), Side(step, new, inputs, none))
        return "; ".join(change.text for change in found) or "its result has gone"

    def _record(self, name: str) -> Record | None:
        if name in self._kept:
            return record_file.parse(self._kept[name]["record"])
        with contextlib.suppress(CorruptObjectError, OSError):
            return record_file.read(self._run.folder / "tasks" / name / "record.json")
        return None
