"""Steps that a user names."""

from __future__ import annotations

from collections.abc import Iterable

from kalelite.errors import UsageError
from kalelite.plan.graph import Plan
from kalelite.plan.order import Scopes
from kalelite.plan.suggest import did_you_mean


def require_steps(plan: Plan, names: Iterable[str]) -> None:
    """Raise `UsageError` for a name that no step or task of the plan has."""
    known = {name: None for task in plan.tasks for name in (task.id, task.step.name)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, set(known)) or f"It has {', '.join(known)}."
            raise UsageError(f"the pipeline {plan.name!r} has no step {name!r}", hint=hint)


def given_tasks(plan: Plan, step: str, refresh: Iterable[str]) -> frozenset[str]:
    """The tasks of a step, and all that they wait for: what a run that starts after it takes.

    Raises `UsageError`: there is no such step, or one of them is to run anew.
    """
    require_steps(plan, [step])
    found = _with_all_before(plan, [t.id for t in plan.tasks if step in {t.id, t.step.name}])
    for task in plan.tasks:
        if task.id in found and not {task.id, task.step.name}.isdisjoint(refresh):
            raise UsageError(
                f"--refresh {task.step.name} would run a step that --from takes",
                hint="Start after an earlier step.",
            )
    return frozenset(found)


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
