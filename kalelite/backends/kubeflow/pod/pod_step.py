"""One instance of a task in its pod: whether it may run, its attempts, and what KFP is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kalelite.attempts.settlement import refuse
from kalelite.backends.kubeflow.pod.inputs import Inputs, obstacle
from kalelite.backends.kubeflow.pod.kfp_artifacts import show
from kalelite.backends.kubeflow.pod.outputs import write_outputs, write_stand_ins
from kalelite.backends.kubeflow.pod.pod_attempts import Attempts
from kalelite.backends.kubeflow.pod.pod_recall import PodRecall
from kalelite.backends.kubeflow.pod.run_records import RunRecords, instance_name
from kalelite.backends.kubeflow.pod.surroundings import settle_down

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import TaskManifest
    from kalelite.capture.load import CodeReader
    from kalelite.marshal.store import Store


class PodStep:
    """One instance of a task.

    ``outputs`` is what KFP says about what it is to leave, ``index`` its place in the loops around it.
    """

    def __init__(
        self,
        task: TaskManifest,
        values: Mapping[str, Any],
        outputs: Mapping[str, Any],
        records: RunRecords,
        code: CodeReader,
        store: Store,
        index: tuple[int, ...],
    ) -> None:
        self._task = task
        self._values = values
        self._outputs = outputs
        self._files = outputs.get("parameters", {})
        self._records = records
        self._code = code
        self._store = store
        self._index = index
        self.name = instance_name(task["template"]["task"], index)

    def run(self, work: str) -> int:
        """Run it in the folder ``work``; the exit code.

        Where an earlier pod of this run has done it already, what that left is handed on.
        """
        task, records = self._task, self._records
        records.make(self.name)
        found = obstacle(task, self._values, records, self._index)
        if found:
            state, reason = found
            records.event(self.name, state, reason=reason)
            print(f"kalelite: {self.name} was {state}: {reason}", file=sys.stderr)
            return self._unsuccessful(state)
        before = records.record(self.name)
        settle_down(work)
        if before is not None and before.status == "succeeded":
            write_outputs(task["outputs"], before, self._files, self._store.load)
            show({"": (before, records.folder / self.name)}, self._outputs, self._values)
            return 0
        record = Attempts(self.name, task["terms"], records, self._work).run()
        records.tell(record)
        failure = record.failure
        if failure is None:
            show({"": (record, records.folder / self.name)}, self._outputs, self._values)
            return 0
        print(
            failure.traceback.rstrip("\n") or f"{failure.type}: {failure.message}", file=sys.stderr
        )
        if failure.hint:
            print(f"  {failure.hint}", file=sys.stderr)
        return self._unsuccessful("failed")

    def _work(self, attempt: int) -> int:
        """One attempt, in its own process."""
        started = time.time()
        code, store = self._code, self._store
        inputs = Inputs(self._task, self._values, self._index, code, store, self._records)
        try:
            spec = inputs.spec(self.name, attempt)
            recall = PodRecall(self._task["recalling"], self._records, store)
            record = recall.execute(spec, code)
            if record.failure is None:
                write_outputs(self._task["outputs"], record, self._files, store.load)
        except Exception as error:  # of the user's code, too, when it is loaded
            refuse(self._records.folder / self.name, self.name, attempt, started, error)
            return 1
        return 0 if record.failure is None else 1

    def _unsuccessful(self, state: str) -> int:
        """The exit code of an instance that gave nothing."""
        if not self._task["hidden"] and state != "skipped":
            return 1
        print(
            "kalelite: Kubeflow Pipelines shows it as done, for something runs all the same",
            file=sys.stderr,
        )
        write_stand_ins(self._task["outputs"], self._files)
        return 0
