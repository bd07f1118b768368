"""What KFP cannot do of one task, beside its options and its mounts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile.container_calls import given, uses
from kalelite.backends.kubeflow.compile.escaping import expansion
from kalelite.errors import Problem
from kalelite.plan.container_command import walk
from kalelite.plan.graph import Constant, ContainerDef, Expr, Task

__all__ = ["task_problems"]


def task_problems(task: Task, *, handler: bool) -> Iterator[Problem]:
    """Everything; ``handler``: it is an exit handler, whose place the plan has checked."""
    yield from _templates(task)
    if isinstance(task.step, ContainerDef):
        yield from _container(task, task.step)
    if handler:
        yield from _handler(task)


def _templates(task: Task) -> Iterator[Problem]:
    """Texts that Argo or Kubernetes would expand."""
    variables = _variables(task)
    for name, text in _texts(task):
        found = expansion(text, variables)
        if found:
            yield Problem(
                f"{name} holds {found}: {text:.60}",
                "Put the text into the image or a ConfigMap, or let a Python step write it."
                if isinstance(task.step, ContainerDef)
                else "Pass the text as an argument of the step: arguments travel with the code.",
                task.where,
            )


def _variables(task: Task) -> set[str]:
    """The names of the environment variables that a task is given."""
    options = task.options
    named = [*options.secrets, *options.config_maps]
    return {*options.env, *(ref.variable for ref in named if hasattr(ref, "variable"))}


def _texts(task: Task) -> Iterator[tuple[str, str]]:
    """The texts of a task's options that end up in the Workflow, with what they are."""
    options = task.options
    for name, value in options.explicit().items():
        yield from ((name, text) for text in _strings(value))
    if isinstance(task.step, ContainerDef):
        for word in walk((*task.step.command, *task.step.args, task.step.image)):
            if isinstance(word, str):
                yield "a word of the command", word


def _container(task: Task, step: ContainerDef) -> Iterator[Problem]:
    """Constants that end up in the Workflow; what a container has as a file travels otherwise."""
    present = given(task, step)
    if task.options.ignore_failures and any(map(_takes_output, present.values())):
        hint = "Let it wait with after=, or let a Python step with ignore_failures take the output."
        message = (
            f"container step {step.name!r} ignores failures and takes what another step gives: "
            "KFP cannot hand on a value that is not there"
        )
        yield Problem(message, hint, task.where)
    for name in sorted(uses(step, present)[0].intersection(present)):
        expr = present[name]
        if not isinstance(expr, Constant):
            continue
        found = next(
            filter(None, (expansion(text, _variables(task)) for text in _strings(expr.value))), ""
        )
        if found:
            hint = f"Let the container take it as a file: InputPath({name!r})."
            message = f"{name!r} of container step {step.name!r} holds {found}"
            yield Problem(message, hint, task.where)


def _strings(value: Any) -> Iterator[str]:
    """The texts inside an option's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (*_strings(key), *_strings(item))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from _strings(getattr(value, item.name))


def _handler(task: Task) -> Iterator[Problem]:
    """Why KFP cannot start an exit handler."""
    if isinstance(task.step, ContainerDef) and _takes_files(task, task.step):
        hint = "Take the value itself (InputValue), or let a Python step handle the exit."
        message = (
            f"the exit handler {task.step.name!r} is a container that takes a file, which a "
            "task before it would have to write: KFP lets an exit handler wait for none"
        )
        yield Problem(message, hint, task.where)
    if task.after or any(map(_takes_output, task.arguments.values())):
        hint = "It may take pipeline parameters, constants and the final status."
        message = "an exit handler that waits for another step: KFP cannot start it"
        yield Problem(message, hint, task.where)


def _takes_files(task: Task, step: ContainerDef) -> bool:
    present = given(task, step)
    return bool(uses(step, present)[1]) or any(step.inputs[name].type is Path for name in present)


def _takes_output(expr: Expr) -> bool:
    return any(True for _ in expr.outputs())
