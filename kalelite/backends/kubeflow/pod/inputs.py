"""KFP's input parameters as what fills a task's template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import KaleliteError, StepError
from kalelite.executor import record_file as records
from kalelite.executor.spec import Record, Slot, TaskSpec
from kalelite.executor.template import fill_slot, value_slot

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import InputPort, TaskManifest
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store

RUN = "run"
"""The parameter of every task that holds the id of the run; it is no port."""

_CASTS: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_SUCCEEDED = ("COMPLETE", "COMPLETED", "CACHED")


def record_path(task: TaskManifest, values: Mapping[str, Any], runs: Path) -> Path:
    """Where this run of the task leaves its record: in a loop there is one for each item."""
    name = str(task["template"]["task"])
    if task["looped"]:
        inputs = {port["name"]: values.get(port["name"]) for port in task["inputs"]}
        text = json.dumps(inputs, sort_keys=True).encode()
        name = f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
    return runs / str(values.get(RUN) or "run") / "tasks" / name / "record.json"


def spec_of(
    task: TaskManifest, values: Mapping[str, Any], record: Path, code: CodeSource, store: Store
) -> TaskSpec:
    """The filled template; an argument without a value is left to the function's default.

    ``values`` are those of KFP's parameters, by name. ``record`` is where the record goes; an
    attempt that has failed has left one there. Raises `StepError` if an argument has no value and
    the task does not run after failures.
    """
    template = TaskSpec.from_json(task["template"])
    inputs = Inputs(task["inputs"], values, code, store, record.parent.parent)
    arguments = {}
    for name, slot in template.arguments.items():
        try:
            arguments[name] = fill_slot(slot, inputs)
        except _AbsentError:
            if not task["tolerant"]:
                message = f"task {template.task!r} got no value for {name!r}"
                raise StepError(message) from None
    return replace(
        template,
        arguments=arguments,
        attempt=_attempt(record),
        record=str(record),
        place=record.parent.name,
    )


def _attempt(path: Path) -> int:
    """One more than the attempt whose failure lies there."""
    before = _read(path)
    return before.attempt + 1 if before is not None and before.status == "failed" else 1


def _read(path: Path) -> Record | None:
    try:
        return records.read(path)
    except (KaleliteError, OSError):
        return None


class _AbsentError(Exception):
    """A parameter has no value: the task that it comes from did not succeed."""


class Inputs:
    """The `kalelite.executor.template.Values` of one task; ``folder`` holds the run's records."""

    def __init__(
        self,
        ports: Sequence[InputPort],
        values: Mapping[str, Any],
        code: CodeSource,
        store: Store,
        folder: Path,
    ) -> None:
        self._ports = {json.dumps(port["symbol"]): port for port in ports}
        self._values = values
        self._code = code
        self._store = store
        self._folder = folder

    def output(self, task: str, output: str) -> Slot:
        return self._slot("output", task, output)

    def parameter(self, name: str) -> Slot:
        return self._slot("parameter", name)

    def item(self, loop: str) -> Slot:
        return self._slot("item", loop)

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        """The list of the values; a path into each of them is followed when it is loaded."""
        port = self._port("collected", source["output"], source["name"], loops[0])
        path = source.get("path", [])
        slots = []
        for value in self._given(port):
            if value is None:  # as that of an item that skipped the task
                slots.append({"value": None})
                continue
            slot = {"ref": value} if port["reading"] == "ref" else self._as_slot(value)
            slots.append({**slot, "path": path})
        return {"pack": "list", "of": slots}

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        names = [[choice["output"], choice["name"]] for choice in choices]
        return self._slot("choice", switch, names)

    def status(self, scope: str) -> Mapping[str, Any]:
        """How the body of an exit scope ended.

        KFP reports whether it failed, but neither where nor why: the records on the volume do.
        """
        port = self._port("status", scope)
        status = self._values.get(port["name"]) or {}
        state = str(status.get("state", ""))
        failures = [record for task in port["tasks"] for record in self._failures(task)]
        first = min(failures, key=lambda record: record.finished, default=None)
        message = first.failure.message if first is not None and first.failure else ""
        return {
            "state": "SUCCEEDED" if state in _SUCCEEDED else state,
            "failed_task": first.task if first is not None else "",
            "message": message or str(status.get("error", {}).get("message", "")),
        }

    def _failures(self, task: str) -> list[Record]:
        paths = [self._folder / task, *self._folder.glob(f"{task}-" + "[0-9a-f]" * 12)]
        found = [_read(path / "record.json") for path in paths]
        return [
            record
            for record in found
            if record and record.status == "failed" and record.task == task
        ]

    def _port(self, *symbol: Any) -> InputPort:
        return self._ports[json.dumps(symbol)]

    def _given(self, port: InputPort) -> Any:
        value = self._values.get(port["name"])
        if value is None:
            raise _AbsentError(port["name"])
        return value

    def _slot(self, *symbol: Any) -> Slot:
        port = self._port(*symbol)
        value = self._given(port)
        match port["reading"]:
            case "ref":
                return {"ref": value}
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
