"""What a run of a program did, in one form for the run here and for the compiled one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance_programs import value_of

from kalelite.backends.kubeflow.follow.step_output import record_in
from kalelite.backends.kubeflow.pod.run_home import KEPT, open_home
from kalelite.executor.record_file import commit
from kalelite.executor.spec import Record
from kalelite.plan.graph import ContainerDef


@dataclass
class Seen:
    """What a run did: its state, its result, how often each step ran, what failed."""

    state: str
    value: Any = None
    succeeded: Counter = field(default_factory=Counter)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    attempts: Counter = field(default_factory=Counter)
    log: str = ""

    def add(self, task: str, record: Record) -> None:
        """Count what an instance of a task did."""
        if record.status == "succeeded":
            self.succeeded[task] += 1
        else:
            self.failed[task] = (record.failure.type, record.failure.message)
        self.attempts[task] += record.attempt


def seen_in(plan, outcome, home: Path, run: str, arguments) -> Seen:
    """A harness outcome in the terms of the plan."""
    from kalelite.backends.kubeflow.compile.lower import lower
    from kalelite.executor import record_file as records
    from kalelite.marshal import Store

    lowered = lower(plan)
    own = {task.id for task in plan.tasks}
    names = {id.replace("_", "-").lower(): id for id in own}
    seen = Seen(outcome.state, log=outcome.log())
    containers = {task.id for task in plan.tasks if isinstance(task.step, ContainerDef)}
    for attempt in outcome.attempts:
        task = names.get(attempt.task)
        if task in containers:
            seen.attempts[task] += 1
            if attempt.code == 0:
                seen.succeeded[task] += 1
    found = {}
    for path in (home / "runs" / run / "tasks").glob("*/record.json"):
        record = records.read(path)
        found[record.task] = record
        if record.task.partition("[")[0] in own:
            seen.add(record.task.partition("[")[0], record)
    if outcome.state == "succeeded" and plan.result is not None:
        store = Store(home / "store")

        def reference(ref):
            return found[ref.task].outputs[ref.output]["ref"]

        seen.value = value_of(lowered.plan.result, reference, store, arguments)
    return seen


def put_together(objects: Iterable[Path], into: Path, run: str, log: str = "") -> Path:
    """A folder with what the steps have left in an object store and told in their logs."""
    found = [{"uri": str(path)} for path in objects]
    received = {
        "inputs": {"artifacts": {KEPT: {"artifacts": found}}},
        "outputs": {"artifacts": {KEPT: {"artifacts": [{"uri": str(into / "home")}]}}},
    }
    home = open_home(run, received)
    for line in log.splitlines():
        found = record_in(line.partition(" | ")[2] or line)
        if found is not None:
            commit(found, home.records.make(found.task) / "record.json")
    return home.store.folder.parent
