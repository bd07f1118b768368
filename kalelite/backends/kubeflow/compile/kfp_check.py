"""What Kubeflow Pipelines cannot do of a plan, all of it at once, before anything is made."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.container_calls import given, uses
from kalelite.backends.kubeflow.compile.escaping import expansion
from kalelite.backends.kubeflow.compile.kfp_options import NEWEST, refusals
from kalelite.backends.kubeflow.compile.kfp_parameters import parameter_problems
from kalelite.backends.kubeflow.compile.mounts import storage_of
from kalelite.backends.kubeflow.compile.placeholders import JOB_NAME
from kalelite.errors import Problem
from kalelite.plan.check import check
from kalelite.plan.container_command import walk
from kalelite.plan.graph import Constant, ContainerDef, ExitScope, Expr, OutputRef, Plan, Task

__all__ = ["check_plan", "check_settled", "kfp_version"]

_SMALLEST_CODE = 70_000
"""Base64 characters of a bundle at the least."""


def check_plan(plan: Plan, settings: Mapping[str, Any] | Settings | None = None) -> list[Problem]:
    """Everything that is wrong with a plan for Kubeflow Pipelines.

    Parameters
    ----------
    plan
        A traced pipeline.
    settings
        As the keyword arguments of `compile_plan`.

    Raises
    ------
    UsageError
        A setting is not usable.
    """
    if not isinstance(settings, Settings):
        settings = settings_for(plan, settings or {})
    return [*check(plan), *check_settled(plan, settings)]


def check_settled(plan: Plan, settings: Settings) -> list[Problem]:
    """What KFP has against a plan that is right in itself."""
    version = settings.kfp_version or kfp_version()
    problems: list[Problem] = [*_whole(plan, settings), *parameter_problems(plan, settings)]
    for task in plan.tasks:
        problems += refusals(task.options, task.where, version)
        problems += _templates(task)
        problems += _mounts(task, settings)
        if isinstance(task.step, ContainerDef):
            problems += _container(task, task.step)
    return [*problems, *_handlers(plan)]


def kfp_version() -> str:
    """The version of the kfp package here; the newest known one if there is none."""
    try:
        return importlib.metadata.version("kfp")
    except importlib.metadata.PackageNotFoundError:
        return NEWEST


def _whole(plan: Plan, settings: Settings) -> Iterator[Problem]:
    if not plan.tasks:
        yield Problem("a pipeline without steps cannot be compiled", "", plan.where)
    # Tracing hundreds of tasks with kfp takes seconds: do not, if it can only be too large.
    steps = len(plan.tasks)
    least = size.least(steps, _SMALLEST_CODE if storage_of(settings).staged else 0)
    if not least.fits:
        yield Problem(
            f"{steps} steps make a Workflow of {size.human(least.total)} or more; Argo takes "
            f"{size.human(size.LIMIT)}, {least.fitting(steps)} of them at most",
            "Use ParallelFor for steps that repeat, do more in each step, or split the pipeline.",
            plan.where,
        )


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
    if task.options.ignore_failures and any(map(_outputs, present.values())):
        hint = "Let it wait with after=, or let a Python step with ignore_failures take the output."
        message = (
            f"container step {step.name!r} ignores failures and takes what another step gives: "
            "KFP has no word for a value that is not there"
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


def _mounts(task: Task, settings: Settings) -> Iterator[Problem]:
    """Mounts that a pod cannot have together."""
    options = task.options
    claims = Counter(volume.claim for volume in options.volumes)
    paths = [volume.path for volume in options.volumes]
    paths += [ref.path for ref in (*options.secrets, *options.config_maps) if hasattr(ref, "path")]
    if not isinstance(task.step, ContainerDef):
        storage = storage_of(settings)
        claims.update(mount.claim for mount in storage.mounts if mount.claim not in ("", JOB_NAME))
        paths += [mount.path for mount in storage.mounts]
    for claim, count in claims.items():
        if count > 1:
            hint = "Mount it once and use folders inside it."
            yield Problem(f"the claim {claim!r} is mounted {count} times", hint, task.where)
        if "." in claim or len(claim) > 63:
            hint = "KFP names the pod's volume after the claim: 63 characters, no dot."
            yield Problem(f"KFP cannot mount the claim {claim!r}", hint, task.where)
    for path, count in Counter(paths).items():
        if count > 1:
            hint = "Give each its own path; marshal_path= moves the marshal volume."
            yield Problem(f"{count} mounts at {path}", hint, task.where)


def _handlers(plan: Plan) -> Iterator[Problem]:
    """Exit handlers that KFP cannot start; where they may stand is checked with the plan."""
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    for task in plan.tasks:
        if task.id not in handlers:
            continue
        if isinstance(task.step, ContainerDef) and _takes_files(task, task.step):
            hint = "Take the value itself (InputValue), or let a Python step handle the exit."
            message = (
                f"the exit handler {task.step.name!r} is a container that takes a file, which a "
                "task before it would have to write: KFP lets an exit handler wait for none"
            )
            yield Problem(message, hint, task.where)
        if task.after or any(_outputs(expr) for expr in task.arguments.values()):
            hint = "It may take pipeline parameters, constants and the final status."
            message = "an exit handler that waits for another step: KFP cannot start it"
            yield Problem(message, hint, task.where)


def _takes_files(task: Task, step: ContainerDef) -> bool:
    present = given(task, step)
    return bool(uses(step, present)[1]) or any(step.inputs[name].type is Path for name in present)


def _outputs(expr: Expr) -> list[OutputRef]:
    return [part for part in expr.walk() if isinstance(part, OutputRef)]
