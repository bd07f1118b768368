"""What fills a task's template: KFP's parameters, and the records of the tasks before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.pod.contract import NOTHING
from kalelite.backends.kubeflow.pod.run_records import RunRecords, instance_name
from kalelite.errors import StepError
from kalelite.executor.spec import Record, Slot, TaskSpec
from kalelite.executor.template import fill_slot, value_slot, with_path

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import InputPort, TaskManifest
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store

RUN = "run"
"""The parameter of every task that holds the id of the run; it is no port."""

_CASTS: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_SUCCEEDED = ("COMPLETE", "COMPLETED", "CACHED")
_BAD = ("failed", "not run", "lost")


def obstacle(
    task: TaskManifest, values: Mapping[str, Any], records: RunRecords, index: Sequence[int]
) -> tuple[str, str] | None:
    """Why an instance may not run although KFP has started it: the state it is in, and the reason.

    KFP is not told of failures that something else tolerates, so who does not asks the records.
    """
    if NOTHING in [values.get(port["name"]) for port in task["inputs"]]:
        return "skipped", "its loop is over nothing"
    for need in task["needs"]:
        for name in records.instances(need["task"], index[: need["shared"]]):
            state, reason = records.end(name)
            if need["skips"] and state == "succeeded":
                return "skipped", "a condition before it was false"
            if state in _BAD and not need["skips"]:
                return "not run", f"{name} failed" if state != "not run" else reason
            if state == "skipped":
                return "skipped", f"{name} was skipped: {reason}"
    return None


class Inputs:
    """The `kalelite.executor.template.Values` of one instance; ``values`` are KFP's, by name."""

    def __init__(
        self,
        task: TaskManifest,
        values: Mapping[str, Any],
        index: Sequence[int],
        code: CodeSource,
        store: Store,
        records: RunRecords,
    ) -> None:
        self._task = task
        self._ports = {json.dumps(port["symbol"]): port for port in task["inputs"]}
        self._values = values
        self._index = tuple(index)
        self._code = code
        self._store = store
        self._records = records

    def spec(self, name: str, attempt: int) -> TaskSpec:
        """The filled template; an argument without a value is left to the function's default.

        Raises `StepError` if an argument has no value and the task does not run after failures.
        """
        template = TaskSpec.from_json(self._task["template"])
        arguments = {}
        for argument, slot in template.arguments.items():
            try:
                arguments[argument] = fill_slot(slot, self)
            except _AbsentError as missing:
                if not self._task["tolerant"]:
                    message = f"task {name!r} got no value for {argument!r}: {missing}"
                    raise StepError(message) from None
        record = str(self._records.folder / name / "record.json")
        return replace(
            template, task=name, arguments=arguments, attempt=attempt, record=record, place=name
        )

    # --- the values --------------------------------------------------------------------------

    def output(self, task: str, output: str) -> Slot:
        if json.dumps(["output", task, output]) in self._ports:
            return self._slot("output", task, output)
        name = instance_name(task, self._index[: self._task["depths"][task]])
        _, record = self._records.first([name], wait=not self._task["tolerant"])
        return _of_record(record, name, output)

    def parameter(self, name: str) -> Slot:
        return self._slot("parameter", name)

    def item(self, loop: str) -> Slot:
        return self._slot("item", loop)

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        """The lists of the values, in the order of the items; None for an item without one."""
        task, output, path = source["output"], source["name"], source.get("path", [])
        outer = self._index[: self._task["depths"][task] - len(loops)]
        there = set(self._records.instances(task, outer))

        def below(index: tuple[int, ...], loops: Sequence[str]) -> Slot:
            if loops:
                count = range(self._count(loops[0], index))
                return {"pack": "list", "of": [below((*index, n), loops[1:]) for n in count]}
            name = instance_name(task, index)
            if name not in there or self._records.end(name)[0] == "skipped":
                return {"value": None}
            return with_path(_of_record(self._records.record(name), name, output), path)

        return below(outer, loops)

    def _count(self, loop: str, index: tuple[int, ...]) -> int:
        """How many items a loop has gone over, at a place in the loops around it."""
        items = self._task["counts"][loop]
        if isinstance(items, int):
            return items
        if "output" in items:
            name = instance_name(items["output"], index[: self._task["depths"][items["output"]]])
            slot = _of_record(self._records.record(name), name, items["name"])
        else:
            slot = self.parameter(items["parameter"])
        if "of" in slot:
            return len(slot["of"])
        self._code.function(self._task["template"]["step"])  # whose classes may be in the list
        return len(self._store.load(slot["ref"]))

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        """The choice whose task has run: it stands in the branch that was taken."""
        names = [
            instance_name(slot["output"], self._index[: self._task["depths"][slot["output"]]])
            for slot in choices
        ]
        name, _ = self._records.first(names, wait=not self._task["tolerant"])
        if not name:
            raise _AbsentError(f"no branch of {switch} has run")
        return choices[names.index(name)]

    def status(self, scope: str) -> Mapping[str, Any]:
        """How the body of an exit scope ended.

        KFP reports whether a task failed that it saw fail, but neither where nor why.
        """
        port = self._ports[json.dumps(["status", scope])]
        state = str((self._values.get(port["name"]) or {}).get("state", ""))
        failed = self._failed(port["tasks"])
        _, name, message = failed[0] if failed else (0.0, "", "")
        good = state in _SUCCEEDED and not failed
        state = "SUCCEEDED" if good else "FAILED"
        return {"state": state, "failed_task": name, "message": message}

    def _failed(self, tasks: Sequence[str]) -> list[tuple[float, str, str]]:
        """When each instance of these tasks has failed, which, and why; the first one first."""
        if not self._records.shared:
            # It travels where values do.
            from kalelite.backends.kubeflow.pod.told_failures import told_failures

            return told_failures(tasks)
        ends = {n: self._records.end(n) for task in tasks for n in self._records.instances(task)}
        failed = ((n, why) for n, (state, why) in ends.items() if state in ("failed", "lost"))
        return sorted((self._finished(name), name, why) for name, why in failed)

    def _finished(self, name: str) -> float:
        record = self._records.record(name)
        return record.finished if record else float("inf")

    # --- what KFP brings -----------------------------------------------------------------------

    def _slot(self, *symbol: Any) -> Slot:
        port = self._ports[json.dumps(symbol)]
        value = self._values.get(port["name"])
        if value is None:
            raise _AbsentError(f"KFP gave no {port['name']}")
        match port["reading"]:
            case "file":
                return {"value": value}
            case "index":
                return {"const": port["items"], "path": [int(value)]}
            case "slot":
                slot: Slot = json.loads(value)
                return slot if "ref" in slot else self._as_slot(slot["value"])
            case reading:
                return self._as_slot(self._converted(port, value, text=reading == "text"))

    def _converted(self, port: InputPort, value: Any, *, text: bool) -> Any:
        if "convert" not in port:
            return _CASTS.get(port["type"], lambda same: same)(value)
        from kalelite.plan.types.convert import convert  # travels where a port names it

        return convert(value, self._code.constant(port["convert"]), name=port["name"], text=text)

    def _as_slot(self, value: Any) -> Slot:
        """The value itself, or a reference to it where JSON cannot hold it."""
        return value_slot(value) or {"ref": self._store.save(value, name="a parameter")}


class _AbsentError(Exception):
    """A value is not there: the task that it comes from did not succeed."""


def _of_record(record: Record | None, name: str, output: str) -> Slot:
    """An output as its record holds it; raises `_AbsentError`."""
    if record is None or record.status != "succeeded":
        raise _AbsentError(f"{name} has left none")
    entry = record.outputs[output]
    if "native" in entry:
        # Shorter than a visit to the store, and the same value.
        slot = value_slot(entry["native"])
        if slot is not None:
            return slot
    return {"ref": entry["ref"], "from": f"{name}.{output}"}
