"""The manifests of the tasks: all that a pod needs besides the code.

The user's own texts and constants are here and in the code, not in the compiled pipeline, where
Argo and KFP would read braces in them as their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalelite.backends.kubeflow.compile.component_graph import FILE
from kalelite.backends.kubeflow.compile.ports import Port, Wiring
from kalelite.backends.kubeflow.pod.contract import InputPort, OutputPort, Reader, TaskManifest
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.capture.code import Code
from kalelite.engine.task_templates import task_templates
from kalelite.plan.graph import ContainerDef, Loop, Parameter, Task
from kalelite.plan.order import Scopes

__all__ = ["task_manifests"]

_PLAIN = (int, float, str, bool, list, dict)


def task_manifests(wiring: Wiring, scopes: Scopes, code: Code) -> Mapping[str, TaskManifest]:
    """The manifest of every Python task, by its id. Constants are added to the code.

    Raises
    ------
    CaptureError
        Constants cannot travel; with all of them.
    """
    templates = task_templates(wiring.lowered.plan, code)
    readers = _readers(wiring, scopes)
    manifests: dict[str, TaskManifest] = {}
    for task in wiring.tasks.values():
        if isinstance(task.step, ContainerDef):
            continue
        around = (scopes.items[id] for id in scopes.around(task.id))
        manifests[task.id] = {
            "template": templates[task.id].to_json(),
            "inputs": [
                _input(port, wiring, scopes, code) for port in wiring.inputs(task, taken=(RUN,))
            ],
            "outputs": _outputs(task, wiring, readers),
            "looped": any(isinstance(block, Loop) for block in around),
            "tolerant": bool(task.options.ignore_failures) or task.id in scopes.handlers,
        }
    return manifests


def _input(port: Port, wiring: Wiring, scopes: Scopes, code: Code) -> InputPort:
    entry: InputPort = {
        "symbol": list(port.symbol),
        "name": port.name,
        "type": port.wire.type,
        "reading": port.reading,
    }
    if port.reading == "index":
        items = wiring.lowered.numbered[port.wire.ids[0]]
        entry["items"] = code.constant(items, name="the items of a loop")
    if port.wire.kind == "parameter":
        parameter = wiring.parameters[port.wire.ids[0]]
        annotation = _annotation(parameter)
        if annotation is not None and annotation not in _PLAIN:
            name = f"the type of parameter {parameter.name!r}"
            entry["convert"] = code.constant(annotation, name=name)
    if port.wire.kind == "status":
        inside = scopes.below(port.wire.ids[0])
        entry["tasks"] = [item.id for item in inside if isinstance(item, Task)]
    return entry


def _annotation(parameter: Parameter) -> Any:
    if parameter.default is None:
        return None if parameter.type is None else parameter.type | None
    return type(parameter.default) if parameter.type is None else parameter.type


def _outputs(
    task: Task, wiring: Wiring, readers: Mapping[tuple[str, str], Reader]
) -> list[OutputPort]:
    return [
        {
            "output": output,
            "form": form,
            "name": name,
            "type": kind,
            "reader": readers.get((task.id, name), ""),
        }
        for (output, form), (name, kind) in wiring.outputs(task).items()
        if kind != FILE
    ]


def _readers(wiring: Wiring, scopes: Scopes) -> dict[tuple[str, str], Reader]:
    """Who reads an output, by task and parameter name; a container is more particular than KFP."""
    readers: dict[tuple[str, str], Reader] = {}
    for item in scopes.items.values():
        if not isinstance(item, Task):
            for wire in wiring.block_wires(item):
                if wire.kind == "output":
                    readers.setdefault((wire.ids[0], wire.ids[1]), "kfp")
        elif isinstance(item.step, ContainerDef):
            for port in wiring.inputs(item):
                if port.wire.kind == "output":
                    readers[port.wire.ids[0], port.wire.ids[1]] = "container"
    return readers
