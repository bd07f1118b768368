"""The graph of a compiled pipeline as stable text: one line for each thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kalelite.backends.kubeflow.compile import component_graph as graph
from kalelite.backends.kubeflow.compile.escaping import EXECUTOR_INPUT, JOB_ID, JOB_NAME
from kalelite.backends.kubeflow.compile.inline_program import BOOT
from kalelite.plan.graph import REQUIRED


def graph_text(compiled: graph.ComponentGraph) -> str:
    """The graph as text, without anything that depends on the code, the machine or Python."""
    lines = [f"pipeline {compiled.name}"]
    for parameter in compiled.parameters.values():
        default = "" if parameter.default is REQUIRED else f" = {parameter.default!r}"
        lines.append(f"parameter {parameter.name}: {parameter.type}{default}")
    return masked("\n".join([*lines, *elements(compiled.body), ""]))


def elements(body: Iterable[graph.Element], indent: str = "") -> Iterator[str]:
    for element in body:
        after = f", after {', '.join(element.waits)}" if element.waits else ""
        title, *details = describe(element)
        yield f"{indent}{title}{after}"
        yield from (f"{indent}  {detail}" for detail in details)
        if isinstance(element, graph.Guarded):
            yield f"{indent}  at exit"
            yield from elements([element.handler], f"{indent}    ")
        yield from elements(element.body, f"{indent}  ")


def describe(element: graph.Element) -> Iterator[str]:
    match element:
        case graph.Component():
            yield from component(element)
        case graph.Cases():
            yield f"if {element.id}"
        case graph.Case(condition=None):
            yield f"else {element.id}"
        case graph.Case(condition=condition):
            left, right = source(condition.left), source(condition.right)
            yield f"case {element.id}: {left} {condition.op} {right}"
        case graph.ForEach(items=items, item=item, parallelism=parallelism):
            at_once = f", {parallelism} at once" if parallelism else ""
            yield f"loop {element.id} over {source(items)}, each {item.type}{at_once}"
        case graph.Guarded():
            yield f"guarded {element.id}"
        case graph.Subpipeline():
            yield f"pipeline {element.id} = {element.title}"
            yield from (f"{name} <- {source(wire)}" for name, wire in element.inputs.items())
            yield from (f"{name} -> {source(wire)}" for name, wire in element.outputs.items())
            yield from (f"{name} <- claim of {maker}" for name, maker in element.claims.items())


def component(task: graph.Component) -> Iterator[str]:
    image = "" if re.fullmatch(r"python:3\.\d+", task.image) else f" in {task.image}"
    outputs = ", ".join(f"{name}: {kind}" for name, kind in task.outputs.items())
    optional = ", even after failures" if task.optional else ""
    yield f"{task.id}{image}{f' -> {outputs}' if outputs else ''}{optional}"
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
    mounts += [f"{path} (made by {maker})" for maker, path in task.made_by]
    if mounts:
        yield f"mounts {', '.join(mounts)}"
    yield from (f"{name} = {value!r}" for name, value in options.items())


def source(value: Any) -> str:
    """Where a value comes from, in the terms of the plan."""
    if not isinstance(value, graph.Wire):
        return repr(value)
    ids = value.ids
    match value.kind:
        case "output" | "own":
            return f"{ids[0]}.{ids[1]}"
        case "collected":
            return f"all {ids[0]}.{ids[1]} of {ids[2]}"
        case "choice":
            pairs = zip(ids[1::2], ids[2::2], strict=True)
            return f"one of {', '.join(map('.'.join, pairs))} by {ids[0]}"
    return f"{value.kind} {ids[0]}"


def masked(text: str) -> str:
    """The text without what changes with the code, with kfp's version and with Python's."""
    text = re.sub(r"[A-Za-z0-9+/=]{200,}( [A-Za-z0-9+/=]{200,})*", "<base64>", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", text)
    return re.sub(r"\b[0-9a-f]{16}\.pyz", "<code>.pyz", text)
