"""From the tasks of a plan to their templates, and from expressions to slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from kalelite.capture.code import Code
from kalelite.errors import CaptureError, Problem, Where
from kalelite.executor.spec import OutputSpec, Slot, TaskSpec
from kalelite.executor.template import value_slot, with_path
from kalelite.plan import graph
from kalelite.plan.graph import Expr, Plan, Task
from kalelite.plan.options.secrecy import secrets_in

_Made = TypeVar("_Made")


def task_template(task: Task, code: Code) -> TaskSpec:
    """The template of a task. Constants that are no JSON primitives are added to the code.

    Raises `CaptureError`, with all constants that cannot travel.
    """

    def slot_of(name: str) -> Slot:
        title = f"argument {name!r} of task {task.id!r}"
        return to_slot(task.arguments[name], code, name=title, where=task.where)

    arguments = _each(task.arguments, slot_of)
    outputs = tuple(
        OutputSpec(item.name, item.index, item.native, item.optional) for item in task.outputs
    )
    return TaskSpec(task.id, code.key_of(task), arguments, outputs, task.arity)


def task_templates(plan: Plan, code: Code) -> dict[str, TaskSpec]:
    """The templates of all tasks of a plan that are Python steps, by the tasks' ids.

    Raises `CaptureError`, with all constants that cannot travel.
    """
    steps = {task.id: task for task in plan.tasks if isinstance(task.step, graph.StepDef)}
    return _each(steps, lambda name: task_template(steps[name], code))


def _each(keys: Iterable[str], make: Callable[[str], _Made]) -> dict[str, _Made]:
    """What is made for each key; one `CaptureError` for all that cannot be made."""
    made: dict[str, _Made] = {}
    problems: list[Problem] = []
    for key in keys:
        try:
            made[key] = make(key)
        except CaptureError as error:
            problems += error.problems
    if problems:
        raise CaptureError.of(tuple(problems))
    return made


def to_slot(expr: Expr, code: Code, *, name: str, where: Where | None = None) -> Slot:
    """The template slot of an expression; ``name`` is what an error calls it."""

    def below(items: Sequence[Expr]) -> list[Slot]:
        return [to_slot(item, code, name=name, where=where) for item in items]

    match expr:
        case graph.Constant(value):
            return _constant(value, code, name, where)
        case graph.OutputRef(task, output, path):
            return with_path({"output": task, "name": output}, path)
        case graph.ParameterRef(parameter, path):
            return with_path({"parameter": parameter}, path)
        case graph.ItemRef(loop, path):
            return with_path({"item": loop}, path)
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
    slot = value_slot(value) if not isinstance(value, (list, dict)) else None
    return slot or {"const": code.constant(value, name=name, where=where)}


def parameter_slot(name: str, value: Any, code: Code) -> Slot:
    """The slot of the value of a pipeline's parameter; one that holds a secret is marked."""
    slot = value_slot(value)
    if slot is None:
        return {"const": code.constant(value, name=f"parameter {name!r}")}
    return {**slot, "secret": True} if any(secrets_in(name, value)) else slot
