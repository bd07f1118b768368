"""The file of a task in the bundle: all that its pod has to know besides the code.

`kalelite.backends.kubeflow.pod.entry` reads it. The user's own texts and constants are here and in the code, not
in the compiled pipeline, where Argo and KFP would read braces in them as their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from kalelite.backends.kubeflow.compile.container_calls import FILE
from kalelite.backends.kubeflow.compile.ports import Port, Wiring
from kalelite.capture.code import Code
from kalelite.engine.task_templates import task_templates
from kalelite.plan.graph import ContainerDef, Loop, Task
from kalelite.plan.scopes import Scopes

__all__ = ["task_files"]

Json = dict[str, Any]
_PLAIN = (int, float, str, bool, list, dict)


def task_files(wiring: Wiring, scopes: Scopes, code: Code) -> Mapping[str, Json]:
    """The file of every Python task, by its id. Constants are added to the code.

    Raises
    ------
    CaptureError
        Constants cannot travel; with all of them.
    """
    templates = task_templates(wiring.lowered.plan, code)
    reads, words = _native_reads(wiring, scopes)
    files = {}
    for task in wiring.tasks.values():
        if isinstance(task.step, ContainerDef):
            continue
        inputs = [_input(port, wiring, scopes, code) for port in wiring.inputs(task, ("run",))]
        files[task.id] = {
            "template": templates[task.id].to_json(),
            "inputs": inputs,
            "outputs": [
                {
                    "output": output,
                    "form": form,
                    "name": name,
                    "type": kind,
                    "reads": form == "items" or (task.id, name) in reads | words,
                    **({"word": True} if (task.id, name) in words else {}),
                }
                for (output, form), (name, kind) in wiring.outputs(task).items()
                if kind != FILE
            ],
            "looped": any(isinstance(scopes.items[id], Loop) for id in scopes.around(task.id)),
            "tolerant": bool(task.options.ignore_failures) or task.id in scopes.handlers,
        }
    return files


def _input(port: Port, wiring: Wiring, scopes: Scopes, code: Code) -> Json:
    entry: Json = {
        "symbol": list(port.symbol),
        "name": port.name,
        "type": port.wire.type,
        "reading": port.reading,
    }
    if port.reading == "number":
        items = wiring.lowered.numbered[port.wire.ids[0]]
        entry["items"] = code.constant(items, name="the items of a loop")
    if port.wire.kind == "parameter":
        parameter = wiring.parameters[port.wire.ids[0]]
        annotation = parameter.type
        if annotation is None and parameter.default is not None:
            annotation = type(parameter.default)
        if annotation is not None and parameter.default is None:
            annotation = Optional[annotation]  # noqa: UP045 - a value, not an annotation
        if annotation is not None and annotation not in _PLAIN:
            name = f"the type of parameter {parameter.name!r}"
            entry["convert"] = code.constant(annotation, name=name)
    if port.wire.kind == "status":
        inside = scopes.below(port.wire.ids[0])
        entry["tasks"] = [item.id for item in inside if isinstance(item, Task)]
    return entry


def _native_reads(wiring: Wiring, scopes: Scopes) -> tuple[set[Any], set[Any]]:
    """The outputs, by task and parameter name, whose value KFP itself reads, and a container."""
    reads: set[Any] = set()
    words: set[Any] = set()
    for item in scopes.items.values():
        if not isinstance(item, Task):
            found, wires = reads, list(wiring.block_wires(item))
        elif isinstance(item.step, ContainerDef):
            found, wires = words, [port.wire for port in wiring.inputs(item)]
        else:
            continue
        found |= {(wire.ids[0], wire.ids[1]) for wire in wires if wire.kind == "output"}
    return reads, words
