"""Everything that can be wrong with a plan as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kalelite.errors import Problem
from kalelite.plan.check.block_values import check_scopes
from kalelite.plan.check.condition_types import check_types
from kalelite.plan.check.container_types import check_containers
from kalelite.plan.check.loop_items import check_items
from kalelite.plan.graph import Plan, StepDef
from kalelite.plan.order import cycle


def check(plan: Plan) -> list[Problem]:
    """All problems of a plan, in source order. Runs nothing."""
    found = [
        *_empty(plan),
        *_cycles(plan),
        *check_scopes(plan),
        *check_items(plan),
        *check_types(plan),
        *check_containers(plan),
        *_cannot_ignore(plan),
    ]
    return in_source_order(found)


def in_source_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems by file and line, each once; those without a place come last."""

    def key(problem: Problem) -> tuple[bool, str, int, int]:
        where = problem.where
        if where is None:
            return True, "", 0, 0
        return False, where.file, where.line, where.column or 0

    return sorted(dict.fromkeys(problems), key=key)


def _empty(plan: Plan) -> list[Problem]:
    if plan.tasks:
        return []
    hint = "Call functions that are decorated with @step in its body."
    return [Problem(f"pipeline `{plan.name}` calls no step", hint, plan.where)]


def _cannot_ignore(plan: Plan) -> Iterator[Problem]:
    """Steps that tolerate failures before them, and need a value from each of those."""
    for task in plan.tasks:
        step = task.step
        if not isinstance(step, StepDef) or not step.options.ignore_failures or task.after:
            continue
        fed = [name for name, value in task.arguments.items() if any(value.outputs())]
        kinds = [step.signature.parameters[name] for name in fed]
        if fed and all(one.default is one.empty and one.kind.name[:3] != "VAR" for one in kinds):
            yield Problem(
                f"step `{step.name}` ignores failures, but without a value for `{fed[0]}` it cannot run",
                f"Give `{fed[0]}` a default, for when the step that it comes from has failed.",
                task.where,
            )


def _looks_ahead(plan: Plan) -> bool:
    """Whether a task waits for something that may come after it.

    Values flow from earlier calls to later ones, so only ``after`` can close a ring.
    """
    before: set[str] = set()
    for task in plan.tasks:
        if not before.issuperset(task.after):
            return True
        before.add(task.id)
    return False


def _cycles(plan: Plan) -> list[Problem]:
    ring = cycle(plan) if _looks_ahead(plan) else ()
    if not ring:
        return []
    where = next((task.where for task in plan.tasks if task.id in ring), plan.where)
    names = " -> ".join((*ring, ring[0]))
    hint = "Take out one of the `after`s between them."
    return [Problem(f"these steps wait for each other: {names}", hint, where)]
