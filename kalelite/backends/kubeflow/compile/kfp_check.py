"""What Kubeflow Pipelines cannot do of a plan, all of it at once, before anything is made."""

from __future__ import annotations

import functools
import importlib.metadata

from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.compile.kfp_options import NEWEST, refusals
from kalelite.backends.kubeflow.compile.kfp_parameters import parameter_problems
from kalelite.backends.kubeflow.compile.mounts import mount_problems
from kalelite.backends.kubeflow.compile.task_checks import plan_problems, task_problems
from kalelite.errors import Problem
from kalelite.plan.graph import ContainerDef, ExitScope, Plan


def kfp_problems(plan: Plan, settings: Settings) -> list[Problem]:
    """What KFP has against a plan that is right in itself."""
    version = settings.kfp_version or _kfp_version()
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    problems: list[Problem] = []
    if not plan.tasks:
        problems.append(Problem("a pipeline without steps cannot be compiled", "", plan.where))
    # Tracing hundreds of tasks with kfp takes seconds: do not, if it can only be too large.
    least = size.least(len(plan.tasks))
    if not least.fits:
        problems.append(least.problem(plan, "{} or more"))
    problems += parameter_problems(plan, settings)
    for task in plan.tasks:
        is_container = isinstance(task.step, ContainerDef)
        problems += refusals(task.options, task.where, version, container=is_container)
        problems += task_problems(task, handler=task.id in handlers)
        problems += mount_problems(task, settings)
    problems += plan_problems(plan)
    return problems


@functools.cache
def _kfp_version() -> str:
    """The version of the kfp package here; the newest known one if there is none."""
    try:
        return importlib.metadata.version("kfp")
    except importlib.metadata.PackageNotFoundError:
        return NEWEST
