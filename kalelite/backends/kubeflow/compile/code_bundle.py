"""The bundle of a lowered plan: the code of its steps, and the manifests of its tasks.

A manifest is all that a pod needs besides the code. The user's own texts and constants are in
these two, not in the compiled pipeline, where Argo and KFP would read braces in them as their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.native_values import FILE
from kalelite.backends.kubeflow.compile.ports import Port, Wiring
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.capture import bundle as bundles
from kalelite.capture.code import Code, capture
from kalelite.engine.task_templates import task_templates
from kalelite.executor import container_io
from kalelite.plan.graph import ContainerDef, Loop, Parameter, StepDef, Task

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import (
        InputPort,
        OutputPort,
        Reader,
        TaskManifest,
    )
    from kalelite.capture.archive import DataFiles

_PLAIN = (int, float, str, bool, list, dict)
_CONVERTER = "kalelite.plan.types.convert"
"""For parameters that are no primitives, and for values as text. It travels on request only."""


def code_bundle(wiring: Wiring) -> tuple[bytes, DataFiles]:
    """The content of a zip application, and the files that its code names.

    Raises `CaptureError` if code or constants cannot travel.
    """
    lowered = wiring.lowered
    code = capture(lowered.plan)
    manifests = _task_manifests(wiring, code)
    # One file for all tasks: they are alike, and compress well together only.
    tasks = json.dumps(manifests, sort_keys=True, separators=(",", ":")).encode()
    modules = {
        task.step.function.__module__
        for task in lowered.plan.tasks
        if isinstance(task.step, StepDef) and task.step.is_own
    }
    ports = (port for manifest in manifests.values() for port in manifest["inputs"])
    if container_io.__name__ in modules or any("convert" in port for port in ports):
        modules.add(_CONVERTER)
    return bundles.bundle(code, {"tasks.json": tasks}, modules=tuple(sorted(modules))), code.data


def _task_manifests(wiring: Wiring, code: Code) -> Mapping[str, TaskManifest]:
    """The manifest of every Python task, by its id. Constants are added to the code."""
    templates = task_templates(wiring.lowered.plan, code)
    readers = _readers(wiring)
    manifests: dict[str, TaskManifest] = {}
    for task in wiring.tasks.values():
        if isinstance(task.step, ContainerDef):
            continue
        around = (wiring.scopes.items[id] for id in wiring.scopes.around(task.id))
        manifests[task.id] = {
            "template": asdict(templates[task.id]),
            "inputs": [_input(port, wiring, code) for port in wiring.inputs(task, taken=(RUN,))],
            "outputs": _outputs(task, wiring, readers),
            "looped": any(isinstance(block, Loop) for block in around),
            "tolerant": bool(task.options.ignore_failures) or task.id in wiring.scopes.handlers,
        }
    return manifests


def _input(port: Port, wiring: Wiring, code: Code) -> InputPort:
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
        entry["tasks"] = [task.id for task in wiring.scopes.tasks_of(port.wire.ids[0])]
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


def _readers(wiring: Wiring) -> dict[tuple[str, str], Reader]:
    """Who reads an output, by task and parameter name; a container is more particular than KFP."""
    readers: dict[tuple[str, str], Reader] = {}
    for item in wiring.scopes.items.values():
        if not isinstance(item, Task):
            for wire in wiring.block_wires(item):
                if wire.kind == "output":
                    readers.setdefault((wire.ids[0], wire.ids[1]), "kfp")
        elif isinstance(item.step, ContainerDef):
            for port in wiring.inputs(item):
                if port.wire.kind == "output":
                    readers[port.wire.ids[0], port.wire.ids[1]] = "container"
    return readers
