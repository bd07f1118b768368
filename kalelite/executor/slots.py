"""The tasks of a plan as templates: the half of `kalelite.executor.template` that stays at home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kalelite.executor.spec import OutputSpec, Slot
from kalelite.executor.template import TaskTemplate, extended, is_primitive

if TYPE_CHECKING:
    from kalelite.capture.code import Code
    from kalelite.errors import Where
    from kalelite.plan.graph import Expr, Plan, Task

__all__ = ["task_template", "to_slot"]


def task_template(plan: Plan, task: Task, code: Code) -> TaskTemplate:  # noqa: ARG001 - the interface
    """The template of a task. Constants that are no JSON primitives are added to the code.

    Raises
    ------
    CaptureError
        if a constant cannot travel.
    """
    arguments = {
        name: to_slot(expr, code, name=f"argument {name!r} of task {task.id!r}", where=task.where)
        for name, expr in task.arguments.items()
    }
    outputs = tuple(OutputSpec(item.name, item.index, item.native) for item in task.outputs)
    return TaskTemplate(task.id, code.key_of(task), arguments, outputs, task.arity)


def to_slot(  # noqa: PLR0911 - one line for each kind
    expr: Expr, code: Code, *, name: str, where: Where | None = None
) -> Slot:
    """The template slot of an expression; ``name`` is what an error calls it."""
    from kalelite.plan import graph

    def below(items: Sequence[Expr]) -> list[Slot]:
        return [to_slot(item, code, name=name, where=where) for item in items]

    match expr:
        case graph.Constant(value):
            return _constant(value, code, name, where)
        case graph.OutputRef(task, output, path):
            return extended({"output": task, "name": output}, path)
        case graph.ParameterRef(parameter, path):
            return extended({"parameter": parameter}, path)
        case graph.ItemRef(loop, path):
            return extended({"item": loop}, path)
        case graph.Collected(source, loops):
            return {"collected": below([source])[0], "loops": list(loops)}
        case graph.OneOf(switch, choices):
            return {"one_of": switch, "of": below(choices)}
        case graph.StatusRef(scope):
            return {"final": scope}
        case graph.Pack(kind, items, keys):
            return _pack(kind, below(items), keys, code, name)
    raise TypeError(f"{name}: {type(expr).__name__} cannot be an argument")


def _pack(kind: type, items: list[Slot], keys: Sequence[Any], code: Code, name: str) -> Slot:
    if kind is dict:
        slots = [_constant(key, code, f"a key of {name}", None) for key in keys]
        return {"pack": "dict", "keys": slots, "of": items}
    if kind in {list, tuple}:
        return {"pack": kind.__name__, "of": items}
    return {"pack": "named", "type": {"const": code.constant(kind, name=name)}, "of": items}


def _constant(value: Any, code: Code, name: str, where: Where | None) -> Slot:
    if is_primitive(value):
        return {"value": value}
    return {"const": code.constant(value, name=name, where=where)}
