"""The earlier runs that the settings of a run name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalelite.engine.named_steps import require_steps
from kalelite.errors import UsageError
from kalelite.plan.order import Scopes
from kalelite.runs.earlier import Earlier, Given
from kalelite.runs.pipeline_run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable
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
        require_steps(plan, [step])
        after = [task.id for task in plan.tasks if step in {task.id, task.step.name}]
        taken = _with_all_before(plan, after)
        for task in plan.tasks:
            if task.id in taken and not {task.id, task.step.name}.isdisjoint(settings.refresh):
                raise UsageError(
                    f"--refresh {task.step.name} would run a step that --from takes",
                    hint="Start after an earlier step.",
                )
        given = Given(_of_same(plan, run, home), taken, store)
    return earlier, given


def _with_all_before(plan: Plan, ids: Iterable[str]) -> set[str]:
    """Tasks, and all that they wait for."""
    scopes, found, pending = Scopes(plan), set(), list(ids)
    while pending:
        id = pending.pop()
        if id not in found:
            found.add(id)
            for around in (*scopes.around(id), id):
                pending += [
                    task.id for one in scopes.waits[around] for task in scopes.tasks_of(one)
                ]
    return found


def _of_same(plan: Plan, name: str, home: Path) -> Run:
    run = Run.open(name, folder=home)
    if run.pipeline != plan.name:
        raise UsageError(f"run {run.id} is of the pipeline {run.pipeline!r}, not of {plan.name!r}")
    return run
