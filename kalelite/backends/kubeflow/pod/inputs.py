"""KFP's input parameters as what fills a task's template."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import KaleliteError
from kalelite.executor import record_file as records
from kalelite.executor.spec import Record, Slot
from kalelite.executor.template import value_slot

if TYPE_CHECKING:
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store

__all__ = ["AbsentError", "Inputs"]

Json = dict[str, Any]
_CASTS: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_ENDED = {"COMPLETE": "SUCCEEDED", "COMPLETED": "SUCCEEDED", "CACHED": "SUCCEEDED"}


class AbsentError(Exception):
    """A parameter has no value: the task that it comes from did not succeed."""


class Inputs:
    """The `kalelite.executor.template.Values` of one task.

    Parameters
    ----------
    task
        The task's file in the bundle. Each of its inputs has the ``symbol`` that the template
        names it by, the ``name`` of the parameter, its ``type``, and how to read it.
    values
        The values of the parameters, by name.
    code, store
        Where constants come from, and where a value is put that JSON cannot hold.
    folder
        The folder of this run's task records.
    """

    def __init__(
        self,
        task: Json,
        values: Mapping[str, Any],
        code: CodeSource,
        store: Store,
        folder: Path,
    ) -> None:
        self._ports = {json.dumps(port["symbol"]): port for port in task["inputs"]}
        self._values = values
        self._code = code
        self._store = store
        self._folder = folder

    def output(self, task: str, output: str) -> Slot:
        return self._read(["output", task, output])

    def parameter(self, name: str) -> Slot:
        return self._read(["parameter", name])

    def item(self, loop: str) -> Slot:
        return self._read(["item", loop])

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        """The list of the values; a path into each of them is followed when it is loaded."""
        port, values = self._given(["collected", source["output"], source["name"], loops[0]])
        path = source.get("path", [])
        values = [value for value in values if value is not None]  # of an item that skipped it
        if port["reading"] == "refs":
            return {"pack": "list", "of": [{"ref": value, "path": path} for value in values]}
        return {"pack": "list", "of": [{**self._slot(value), "path": path} for value in values]}

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        names = [[choice["output"], choice["name"]] for choice in choices]
        return self._read(["choice", switch, names])

    def status(self, scope: str) -> Mapping[str, Any]:
        """How the body of an exit scope ended.

        KFP tells whether it failed, but neither where nor why: the records on the volume do.
        """
        port, status = self._given(["status", scope])
        state = str(status.get("state", ""))
        failures = [record for task in port["tasks"] for record in self._failures(task)]
        first = min(failures, key=lambda record: record.finished, default=None)
        message = first.failure.message if first is not None and first.failure else ""
        return {
            "state": _ENDED.get(state, state),
            "failed_task": first.task if first is not None else "",
            "message": message or str(status.get("error", {}).get("message", "")),
        }

    def _failures(self, task: str) -> list[Record]:
        found = []
        for path in [self._folder / task, *self._folder.glob(f"{task}-" + "[0-9a-f]" * 12)]:
            try:
                record = records.read(path / "record.json")
            except (KaleliteError, OSError):
                continue
            if record is not None and record.status == "failed" and record.task == task:
                found.append(record)
        return found

    def _given(self, symbol: list[Any]) -> tuple[Json, Any]:
        port = self._ports[json.dumps(symbol)]
        value = self._values.get(port["name"])
        if value is None and port["reading"] != "status":
            raise AbsentError(port["name"])
        return port, value or ({} if port["reading"] == "status" else value)

    def _read(self, symbol: list[Any]) -> Slot:
        port, value = self._given(symbol)
        reading = port["reading"]
        if reading == "ref":
            return {"ref": value}
        if reading == "file":
            return {"value": value}
        if reading == "number":
            return {"const": port["items"], "path": [int(value)]}
        if reading == "json":
            slot: Slot = json.loads(value)
            return slot if "ref" in slot else self._slot(slot["value"])
        kind = port["type"]
        if "convert" in port:
            # By name, so that it travels only with pipelines that need it.
            convert = importlib.import_module("kalelite.plan.types.convert").convert
            annotation = self._code.constant(port["convert"])
            text = reading == "text"
            return self._slot(convert(value, annotation, name=port["name"], text=text))
        return self._slot(_CASTS[kind](value) if kind in _CASTS else value)

    def _slot(self, value: Any) -> Slot:
        """The value itself, or a reference to it where JSON cannot hold it."""
        return value_slot(value) or {"ref": self._store.save(value, name="a parameter")}
