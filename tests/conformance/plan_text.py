"""A plan as stable text: all that it holds, one line for each thing, and its picture."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.picture.text import to_text
from kalelite.plan import graph


def plan_text(plan: graph.Plan) -> str:
    """The plan as text, without anything that depends on the machine."""
    lines = [f"pipeline {plan.name}{_where(plan.where)}"]
    lines += [f"  {_parameter(parameter)}" for parameter in plan.parameters]
    lines += [f"  {name} = {value!r}" for name, value in _said(plan.options).items()]
    for block in plan.blocks:
        lines.append(f"{_block(block)}{_inside(block.parent)}{_where(block.where)}")
    for task in plan.tasks:
        lines += _task(task)
    if plan.result is not None:
        lines.append(f"result {expr(plan.result)}")
    return "\n".join(lines) + "\n\n" + to_text(plan).rstrip() + "\n"


def expr(value: Any) -> str:
    """An expression in the words of Python."""
    match value:
        case graph.Constant(value=constant):
            return _constant(constant)
        case graph.ParameterRef(name=name, path=path):
            return name + _path(path)
        case graph.OutputRef(task=task, output=output, path=path):
            return f"{task}.{output}{_path(path)}"
        case graph.ItemRef(loop=loop, path=path):
            return f"item of {loop}{_path(path)}"
        case graph.Collected(source=source, loops=loops):
            return f"Collected({expr(source)} over {', '.join(loops)})"
        case graph.OneOf(switch=switch, choices=choices):
            return f"OneOf({', '.join(map(expr, choices))} of {switch})"
        case graph.StatusRef(scope=scope):
            return f"status of {scope}"
        case graph.Pack(type=kind, items=items, keys=keys):
            inner = zip(keys, items, strict=True) if keys else ((None, item) for item in items)
            parts = [f"{key!r}: {expr(item)}" if keys else expr(item) for key, item in inner]
            return f"{kind.__name__}[{', '.join(parts)}]"
        case graph.Compare(op=op, left=left, right=right):
            return f"{expr(left)} {op} {expr(right)}"
        case graph.AllOf(operands=operands):
            return "(" + " & ".join(map(expr, operands)) + ")"
        case graph.AnyOf(operands=operands):
            return "(" + " | ".join(map(expr, operands)) + ")"
        case graph.Negation(operand=operand):
            return f"~({expr(operand)})"
    raise TypeError(type(value).__name__)


def _task(task: graph.Task) -> Iterator[str]:
    kind = "container" if isinstance(task.step, graph.ContainerDef) else "task"
    after = f" after {', '.join(task.after)}" if task.after else ""
    yield f"{kind} {task.id} = {task.step.name}{_inside(task.parent)}{after}{_where(task.where)}"
    for name, value in task.arguments.items():
        yield f"  {name} <- {expr(value)}"
    for output in task.outputs:
        place = "" if output.index is None else f"[{output.index}]"
        native = f" as {output.native}" if output.native else ""
        yield f"  -> {output.name}{place}{native}"
    if task.arity is not None:
        yield f"  returns {task.arity}"
    for name, said in task.options.explicit().items():
        yield f"  {name} = {_option(said)}"


def _block(block: graph.Block) -> str:
    match block:
        case graph.Branch(id=id, condition=condition):
            return f"branch {id}: {expr(condition) if condition is not None else 'else'}"
        case graph.Loop(id=id, items=items, parallelism=parallelism):
            at_once = f", {parallelism} at once" if parallelism else ""
            return f"loop {id} over {expr(items)}{at_once}"
        case graph.ExitScope(id=id, handler=handler):
            return f"exit {id}, then {handler}"
        case graph.Group(id=id, name=name):
            return f"group {id} = {name}"
    return f"{type(block).__name__.lower()} {block.id}"


def _parameter(parameter: graph.Parameter) -> str:
    kind = parameter.type
    said = inspect.formatannotation(kind) if kind is not None else "any"
    default = parameter.default
    shown = "" if default is graph.REQUIRED else f" = {_constant(default)}"
    return f"{parameter.name}: {said.replace('__main__.', '')}{shown}"


def _said(options: Any) -> Mapping[str, Any]:
    fresh = type(options)()
    named = [field.name for field in dataclasses.fields(options) if field.name != "defaults"]
    said = {name: getattr(options, name) for name in named}
    return {name: value for name, value in said.items() if value != getattr(fresh, name)}


def _constant(value: Any) -> str:
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__qualname__
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(value)).replace("__main__.", "")
    return text if len(text) <= 300 else f"{text[:300]}…"


def _option(value: Any) -> str:
    return repr(dict(value)) if isinstance(value, Mapping) else repr(value)


def _path(path: tuple[Any, ...]) -> str:
    return "".join(f"[{key!r}]" for key in path)


def _inside(parent: str) -> str:
    return f" in {parent}" if parent else ""


def _where(where: Any) -> str:
    return f"  (line {where.line})" if where else ""
