"""The earlier runs that the settings of a run name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalelite.engine.named_steps import given_tasks, require_steps
from kalelite.errors import UsageError
from kalelite.runs.earlier import Earlier, Given
from kalelite.runs.pipeline_run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from kalelite.backends.local.local_settings import LocalSettings
    from kalelite.marshal import Store
    from kalelite.plan.graph import Plan


def earlier_of(
    plan: Plan, settings: LocalSettings, home: Path, store: Store
) -> tuple[Earlier | None, Given | None]:
    """The run that another goes on from, and what it takes by name, as its settings say.

    Raises `UsageError`: there is no such run or step, it is of another pipeline, or it goes on.
    """
    require_steps(plan, settings.refresh)
    earlier = given = None
    if settings.resume:
        earlier = Earlier(_of_same(plan, settings.resume, home), store)
        if earlier.run.state == "running":
            raise UsageError(
                f"run {earlier.run.id} is still going on", hint="Wait for its end, or stop it."
            )
    if settings.start_after:
        run, step = settings.start_after
        taken = given_tasks(plan, step, settings.refresh)
        given = Given(_of_same(plan, run, home), taken, store)
    return earlier, given


def _of_same(plan: Plan, name: str, home: Path) -> Run:
    run = Run.open(name, folder=home)
    if run.pipeline != plan.name:
        raise UsageError(f"run {run.id} is of the pipeline {run.pipeline!r}, not of {plan.name!r}")
    return run
