"""A task's outputs as KFP's output parameters: one file for each."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.pod.contract import NOTHING
from kalelite.errors import StepError
from kalelite.executor.spec import Record

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import OutputPort

_LARGEST_INT = 2**63
_EXACT = 2**53
"""KFP carries every number as a 64-bit float, which is exact for whole numbers up to here."""


def write_outputs(
    outputs: Sequence[OutputPort],
    record: Record,
    files: Mapping[str, Mapping[str, str]],
    load: Callable[[str], Any],
) -> None:
    """Write the files that KFP expects; raises `StepError` for a value that it cannot carry.

    ``outputs`` are the parameters as the task's manifest has them, ``files`` is KFP's description
    of them, and ``load`` reads a value of the marshal store.
    """
    for port in outputs:
        entry = record.outputs[port["output"]]
        if port["form"] == "native":
            text = _text(port, entry, record.task)
        else:
            items = _items(entry, load)
            count = len(json.loads(items))
            if not count and "empty" in port:
                text = _empty(port, record.task)
            elif port["form"] == "items":
                text = items
            else:
                text = json.dumps([*range(-(-count // port.get("size", 1)))])
        _write(text, files[port["name"]])


def _empty(port: OutputPort, task: str) -> str:
    """What KFP is to loop over where there is nothing, so that it can collect artifacts."""
    if port.get("empty") == "refused":
        raise StepError(
            f"output {port['output']!r} of task {task!r} is empty, and KFP cannot collect artifacts "
            "from a loop over nothing with a container step in it",
            hint="Have one item at least, or let the values travel on a volume: leave "
            "marshal='artifacts' out.",
        )
    return json.dumps([NOTHING if port["form"] == "items" else 0])


def write_stand_ins(outputs: Sequence[OutputPort], files: Mapping[str, Mapping[str, str]]) -> None:
    """Write something for KFP to read where there is no value; what follows asks the records."""
    for port in outputs:
        text = json.dumps([NOTHING]) if "empty" in port else _NOTHING.get(port["type"], "[]")
        _write(text, files[port["name"]])


def _write(text: str, file: Mapping[str, str]) -> None:
    path = Path(file["outputFile"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def _items(entry: Mapping[str, Any], load: Callable[[str], Any]) -> str:
    """The items of a loop, each as the text of a slot: by value, or as a part of the whole list."""
    if "native" in entry:
        with suppress(ValueError):
            return json.dumps([_item({"value": item}) for item in entry["native"]])
    reference = entry["ref"]
    count = len(load(reference))
    return json.dumps([_item({"ref": reference, "path": [number]}) for number in range(count)])


def _item(slot: Mapping[str, Any]) -> str:
    # Kubernetes makes one dollar of two in what KFP hands from pod to pod as an argument.
    return json.dumps(slot, allow_nan=False).replace("$", r"\u0024")


def _text(port: OutputPort, entry: Mapping[str, Any], task: str) -> str:
    """A primitive value as KFP reads it."""
    problem = entry.get("not_native", "")
    if "native" in entry:
        try:
            text = _spell(entry["native"], port)
        except ValueError as error:
            problem = str(error)
        else:
            if port["reader"] == "container" and "$$" in text:
                raise StepError(
                    f"output {port['output']!r} of task {task!r} goes into the command of a "
                    "container and holds '$$', of which Kubernetes makes '$'",
                    hint="Let the container take it as a file: InputPath.",
                )
            return text
    if port["reader"] or port["type"] == "int":
        raise StepError(
            f"Kubeflow Pipelines cannot carry output {port['output']!r} of task {task!r}: {problem}",
            hint="Where a condition or loop reads it, return a smaller or simpler value; "
            "elsewhere, leave the return annotation out.",
        )
    print(f"kalelite: output {port['output']!r} is not shown by KFP: {problem}", file=sys.stderr)
    return str(_STAND_INS.get(port["type"], str)(entry.get("preview", "")))


def _spell(value: Any, port: OutputPort) -> str:
    kind = port["type"]
    if port["reader"] and is_rounded(value):
        raise ValueError("it has a number of more than 53 bits, which KFP would round")
    if kind == "str":
        value.encode("utf-8")
        return str(value)
    if kind == "bool":
        return "true" if value else "false"
    if kind == "int" and abs(value) >= _LARGEST_INT:
        raise ValueError("it has more than 64 bits")
    if kind == "float":
        if not math.isfinite(value) and port["reader"]:
            raise ValueError("it is not finite")
        return repr(float(value))
    return json.dumps(value, allow_nan=False)


def is_rounded(value: Any) -> bool:
    """Whether KFP would round a whole number in a value."""
    if isinstance(value, int):
        return abs(value) > _EXACT
    if isinstance(value, dict):
        return any(map(is_rounded, value.values()))
    return isinstance(value, (list, tuple)) and any(map(is_rounded, value))


_NOTHING = {"int": "0", "float": "0", "str": "", "bool": "false", "dict": "{}"}

# What the KFP UI shows where a value cannot be shown; nothing reads it.
_STAND_INS: dict[str, Any] = {
    "list": lambda preview: json.dumps([preview]),
    "dict": lambda preview: json.dumps({"not shown": preview}),
    "float": lambda _: "NaN",
}
