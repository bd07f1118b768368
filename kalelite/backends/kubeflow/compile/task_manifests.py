"""The manifest of each Python task: all that its pod needs besides the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.artifact_routes import Routes
from kalelite.backends.kubeflow.compile.native_values import FILE
from kalelite.backends.kubeflow.compile.ports import Port, Wire, Wiring
from kalelite.backends.kubeflow.compile.recalling import Recallings, Reuse
from kalelite.backends.kubeflow.compile.tolerance import Tolerance
from kalelite.engine.task_templates import task_templates, to_slot
from kalelite.plan.graph import Constant, ContainerDef, Loop, Parameter, Task
from kalelite.plan.order import expressions

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import (
        InputPort,
        OutputPort,
        Reader,
        Sources,
        TaskManifest,
        Terms,
    )
    from kalelite.capture.code import Code
    from kalelite.executor.task_key import TaskKey
    from kalelite.plan.options import StepOptions

_PLAIN = (int, float, str, bool, list, dict)


def task_manifests(
    wiring: Wiring, code: Code, reuse: Reuse
) -> tuple[Mapping[str, TaskManifest], Mapping[str, TaskKey]]:
    """The manifest and the key of every Python task, by its id. Constants are added to the code."""
    lowered, scopes = wiring.lowered, wiring.scopes
    gives = Routes(wiring).gives if lowered.carries else {}
    templates = task_templates(lowered.plan, code)
    readers = _readers(wiring)
    collected = {
        (ref.task, ref.output): any(
            isinstance(task.step, ContainerDef) for task in scopes.tasks_of(loop)
        )
        for loop in lowered.collected
        if loop in scopes.blocks
        for expr in expressions(scopes.blocks[loop])
        for ref in expr.outputs()
    }
    tolerance = Tolerance(scopes)
    hidden = sorted(tolerance.hidden)
    manifests: dict[str, TaskManifest] = {}
    inputs = {
        task.id: [_input(port, wiring, code) for port in wiring.inputs(task)]
        for task in wiring.tasks.values()
        if not isinstance(task.step, ContainerDef)
    }
    recallings = Recallings(
        lowered.plan,
        code,
        templates,
        {name: _converted(parameter) for name, parameter in wiring.parameters.items()},
        [
            {"const": port["items"]}
            for ports in inputs.values()
            for port in ports
            if "items" in port
        ],
        reuse,
    )
    for task in wiring.tasks.values():
        if isinstance(task.step, ContainerDef):
            continue
        manifests[task.id] = {
            "template": asdict(templates[task.id]),
            "terms": _terms(task.options),
            "inputs": inputs[task.id],
            "outputs": _outputs(task, wiring, readers, collected),
            **_sources(task, wiring, code),
            "needs": tolerance.needs(task, lowered.elses) if task.id in tolerance.affected else [],
            "tolerant": bool(task.options.ignore_failures) or task.id in scopes.handlers,
            "hidden": task.id in tolerance.hidden,
            "verdict": hidden if task.id == lowered.verdict else [],
            "recalling": recallings.of(task),
            "gives": gives.get(task.id, []),
        }
    return manifests, recallings.keys()


def _terms(options: StepOptions) -> Terms:
    retries = asdict(options.retries) if options.retries else None
    return {"timeout": options.timeout, "memory": options.memory_bound, "retries": retries}


def _sources(task: Task, wiring: Wiring, code: Code) -> Sources:
    """Where in the loops the values are that a task finds by the records of others."""
    scopes = wiring.scopes
    counts: dict[str, Any] = {}
    tasks = {task.id, *(ref.task for expr in task.arguments.values() for ref in expr.outputs())}
    for id in (loop for expr in wiring.collected(task) for loop in expr.loops):
        loop = scopes.blocks[id]
        assert isinstance(loop, Loop)
        if isinstance(loop.items, Constant):
            counts[id] = len(loop.items.value)
        else:
            counts[id] = to_slot(loop.items, code, name="items")
            tasks |= {ref.task for ref in loop.items.outputs()}
    return {"depths": {id: len(scopes.loops[id]) for id in sorted(tasks)}, "counts": counts}


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
        annotation = _converted(parameter)
        if annotation is not None:
            name = f"the type of parameter {parameter.name!r}"
            entry["convert"] = code.constant(annotation, name=name)
    if port.wire.kind == "status":
        entry["tasks"] = [task.id for task in wiring.scopes.tasks_of(port.wire.ids[0])]
    return entry


def _converted(parameter: Parameter) -> Any:
    """What the values of a parameter are converted to; None if they are as KFP has them."""
    if parameter.default is None:
        return None if parameter.type is None else parameter.type | None
    annotation = type(parameter.default) if parameter.type is None else parameter.type
    return None if annotation in _PLAIN else annotation


def _outputs(
    task: Task,
    wiring: Wiring,
    readers: Mapping[tuple[str, str], Reader],
    collected: Mapping[tuple[str, str], bool],
) -> list[OutputPort]:
    ports: list[OutputPort] = []
    pod = wiring.pods.get(task.id)
    for (output, form), (name, kind) in wiring.outputs(task).items():
        reader = readers.get((task.id, name), "")
        given = name
        if pod is not None:
            # There it is written for those who read it only, and under the name that it has there.
            given = wiring.in_pod(pod).names.get(Wire("output", (task.id, name)), "")
        if given and kind != FILE:
            made: OutputPort = {
                "output": output,
                "form": form,
                "name": given,
                "type": kind,
                "reader": reader,
            }
            if form != "native" and (task.id, output) in collected:
                made["empty"] = "refused" if collected[task.id, output] else "stood for"
            if form == "batches":
                made["size"] = wiring.batched[task.id, output]
            ports.append(made)
    return ports


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
