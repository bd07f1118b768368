"""Whether the calls of container steps give and take what a container can read and write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kalelite.errors import Problem, UsageError
from kalelite.plan.graph import Constant, ContainerDef, Expr, Pack, Parameter, Plan, Task
from kalelite.plan.types.convert import convert


def check_containers(plan: Plan) -> Iterator[Problem]:
    """Problems with values that go into containers and come out of them."""
    tasks = {task.id: task for task in plan.tasks}
    if not any(isinstance(task.step, ContainerDef) for task in plan.tasks):
        return
    for task in plan.tasks:
        for name, argument in task.arguments.items():
            if isinstance(task.step, ContainerDef):
                yield from _argument(tasks, task, task.step.inputs[name], argument)
            yield from _taken(tasks, task, name, argument)


def _argument(
    tasks: dict[str, Task], task: Task, wanted: Parameter, argument: Expr
) -> Iterator[Problem]:
    about = f"container step `{task.step.name}` takes `{wanted.name}`"
    if isinstance(argument, Constant):
        try:
            convert(argument.value, wanted.type, name=wanted.name)
        except UsageError as error:
            if argument.value is not None or wanted.default is not None:
                yield Problem(f"{about}: {error.message}", error.hint, task.where)
        return
    if isinstance(argument, Pack):
        hint = "Put it together in a step that is annotated `-> list` or `-> dict`."
        yield Problem(f"{about} as one value, not as a container of outputs", hint, task.where)
        return
    for part in argument.outputs():
        step, output = tasks[part.task].step, tasks[part.task].output(part.output)
        if not isinstance(step, ContainerDef) and not output.native and output.type is not Path:
            yield Problem(
                f"{about} as text or a file; `{part.output}` of step `{step.name}` is a Python object",
                f"Annotate what `{step.name}` returns as Path, or int, float, str, bool, list or dict.",
                task.where,
            )


def _taken(tasks: dict[str, Task], task: Task, name: str, argument: Expr) -> Iterator[Problem]:
    """Results of container steps that are taken as a whole though they have several parts."""
    for part in argument.outputs():
        step = tasks[part.task].step
        if isinstance(step, ContainerDef) and part.output not in step.outputs:
            outputs = ", ".join(step.outputs) or "none"
            yield Problem(
                f"argument `{name}` takes the whole result of container step `{step.name}`",
                f"Take one of its outputs: {outputs}.",
                task.where,
            )
