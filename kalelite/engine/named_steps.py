"""Steps that a user names."""

from __future__ import annotations

from collections.abc import Iterable

from kalelite.errors import UsageError
from kalelite.plan.graph import Plan
from kalelite.plan.suggest import did_you_mean


def require_steps(plan: Plan, names: Iterable[str]) -> None:
    """Raise `UsageError` for a name that no step or task of the plan has."""
    known = {name: None for task in plan.tasks for name in (task.id, task.step.name)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, set(known)) or f"It has {', '.join(known)}."
            raise UsageError(f"the pipeline {plan.name!r} has no step {name!r}", hint=hint)
