"""What KFP cannot do of tasks, beside their options and mounts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile.container_calls import given, uses
from kalelite.backends.kubeflow.compile.escaping import expansion
from kalelite.backends.kubeflow.compile.tolerance import tolerance_problems
from kalelite.errors import Problem
from kalelite.plan.container_command import walk
from kalelite.plan.graph import (
    Constant,
    ContainerDef,
    Plan,
    Task,
)


def task_problems(task: Task, *, handler: bool) -> Iterator[Problem]:
    """Everything; ``handler``: it is an exit handler, of which the plan has checked the rest."""
    yield from _templates(task)
    if isinstance(task.step, ContainerDef):
        yield from _container(task, task.step, handler=handler)


def plan_problems(plan: Plan) -> Iterator[Problem]:
    """What KFP cannot do of tasks together."""
    yield from tolerance_problems(plan)


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


def _container(task: Task, step: ContainerDef, *, handler: bool) -> Iterator[Problem]:
    """What KFP cannot give to a container."""
    present = given(task, step)
    values, files = uses(step, present)
    if handler and (files or any(step.inputs[name].type is Path for name in present)):
        hint = "Take the value itself (InputValue), or let a Python step handle the exit."
        message = (
            f"the exit handler {step.name!r} is a container that takes a file, which a "
            "task before it would have to write: KFP lets an exit handler wait for none"
        )
        yield Problem(message, hint, task.where)
    outputs = chain.from_iterable(expr.outputs() for expr in present.values())
    if task.options.ignore_failures and any(outputs):
        hint = "Let it wait with after=, or let a Python step with ignore_failures take the output."
        message = (
            f"container step {step.name!r} ignores failures and takes what another step gives: "
            "KFP cannot hand on a value that is not there"
        )
        yield Problem(message, hint, task.where)
    variables = _variables(task)
    for name in sorted(values.intersection(present)):
        expr = present[name]
        # Constants end up in the Workflow; what a container has as a file travels otherwise.
        texts = _strings(expr.value) if isinstance(expr, Constant) else ()
        found = next(filter(None, (expansion(text, variables) for text in texts)), "")
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
