"""The graph of a compiled pipeline as stable text: one line for each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kalelite.backends.kubeflow.compile.components import Component, Components
from kalelite.backends.kubeflow.compile.escaping import EXECUTOR_INPUT, JOB_ID, JOB_NAME
from kalelite.backends.kubeflow.compile.kfp_parameters import Root
from kalelite.backends.kubeflow.compile.ports import Wire
from kalelite.backends.kubeflow.compile.setup_tasks import BOOT
from kalelite.plan import graph
from kalelite.plan.order import ROOT


def graph_text(root: Root, components: Components) -> str:
    """The graph as text, without anything that depends on the code, the machine or Python."""
    lines = [f"pipeline {root.name}"]
    for parameter in root.parameters.values():
        default = "" if parameter.default is graph.REQUIRED else f" = {parameter.default!r}"
        lines.append(f"parameter {parameter.name}: {parameter.type}{default}")
    return masked("\n".join([*lines, *elements(components, ROOT), ""]))


def elements(components: Components, block: str, indent: str = "") -> Iterator[str]:
    setup = {task.id: task for task in components.setup}
    for id, waits in components.waits(block):
        item = setup.get(id) or components.wiring.scopes.items[id]
        after = f", after {', '.join(waits)}" if waits else ""
        title, *details = describe(item, components)
        yield f"{indent}{title}{after}"
        yield from (f"{indent}  {detail}" for detail in details)
        if isinstance(item, graph.ExitScope):
            handler = components.wiring.scopes.tasks[item.handler]
            yield f"{indent}  at exit"
            title, *details = component(components.task(handler, handler=True))
            yield f"{indent}    {title}"
            yield from (f"{indent}      {detail}" for detail in details)
        if isinstance(item, graph.Block) and not isinstance(item, graph.SharedPod):
            yield from elements(components, id, f"{indent}  ")


def describe(item: Component | graph.Task | graph.Block, components: Components) -> Iterator[str]:
    wiring = components.wiring

    def operand(expr: graph.Expr) -> str:
        return repr(expr.value) if isinstance(expr, graph.Constant) else source(wiring.read(expr))

    match item:
        case Component():
            yield from component(item)
        case graph.Task():
            yield from component(components.task(item))
        case graph.Switch():
            yield f"if {item.id}"
        case graph.Branch(condition=None):
            yield f"else {item.id}"
        case graph.Branch(condition=condition):
            left, right = map(operand, condition.children())
            yield f"case {item.id}: {left} {condition.op} {right}"
        case graph.Loop(items=items, parallelism=parallelism):
            over = items.value if isinstance(items, graph.Constant) else wiring.items(items)
            at_once = f", {parallelism} at once" if parallelism else ""
            each = wiring.item(item.id)[0].type
            yield f"loop {item.id} over {source(over)}, each {each}{at_once}"
        case graph.SharedPod():
            yield from component(components.pod(item))
        case graph.Batches(numbers=graph.Constant(value=numbers), loop=loop):
            yield f"batches {item.id} of {loop} over {numbers!r}"
        case graph.Batches(loop=loop):
            yield f"batches {item.id} of {loop} over its batches"
        case graph.ExitScope():
            yield f"guarded {item.id}"
        case graph.Group():
            inputs, outputs = wiring.border(item.id)
            claims = components.claims()
            yield f"pipeline {item.id} = {item.name or item.id}"
            yield from (f"{name} <- {source(wire)}" for name, wire in inputs.items())
            yield from (f"{name} -> {source(wire)}" for name, wire in outputs.items())
            yield from (f"{name} <- claim of {maker}" for name, maker in claims.items())


def component(task: Component) -> Iterator[str]:
    image = "" if re.fullmatch(r"python:3\.\d+", task.image) else f" in {task.image}"
    outputs = ", ".join(f"{name}: {kind}" for name, kind in task.outputs.items())
    looped = ", with its place in the loops" if task.fields else ""
    yield f"{task.id}{image}{f' -> {outputs}' if outputs else ''}{looped}"
    words = [*task.command, *task.args]
    if words[:1] == ["python3"] and words[1].endswith(".pyz"):
        # What is the same for all of them is left out; the parts of ids are what may go wrong.
        assert words[2:7] == ["run", "--task", task.id, "--home", words[6]]
        assert words[-2:] == ["--executor-input", EXECUTOR_INPUT]
        words = words[7:-2]
    if words:
        yield f"$ {' '.join(words).replace(BOOT, '<boot>')}"
    for name, value in task.arguments.items():
        if value not in (JOB_ID, JOB_NAME):
            yield f"{name}: {task.inputs[name]} <- {source(value)}"
    options = task.options.explicit()
    mounts = [
        mount.path if mount.claim == JOB_NAME else f"{mount.path} ({mount.claim})"
        for mount in options.pop("volumes", ())
    ]
    mounts += [f"{path} (made by {maker})" for maker, path, _ in task.made_by]
    if mounts:
        yield f"mounts {', '.join(mounts)}"
    yield from (f"{name} = {value!r}" for name, value in options.items())


def source(value: Any) -> str:
    """Where a value comes from, in the terms of the plan."""
    if not isinstance(value, Wire):
        return repr(value)
    ids = value.ids
    if value.kind in ("output", "own"):
        return f"{ids[0]}.{ids[1]}"
    return f"{value.kind} {ids[0]}"


def masked(text: str) -> str:
    """The text without what changes with the code, with kfp's version and with Python's."""
    text = re.sub(r"[A-Za-z0-9+/=]{200,}( [A-Za-z0-9+/=]{200,})*", "<base64>", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", text)
    return re.sub(r"\b[0-9a-f]{16}\.pyz", "<code>.pyz", text)
