"""Which tasks may run beside others, as the plan tells, and what comes first in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kalelite.engine.transitions import Instance
from kalelite.plan.graph import Loop, Plan, StepDef
from kalelite.plan.order import Scopes


class Turns:
    """The order of a plan's tasks in plain Python, for those that may run beside others."""

    def __init__(self, plan: Plan) -> None:
        self._scopes = scopes = Scopes(plan)
        self._numbers = {id: number for number, id in scopes.calls()}
        beside = set(_beside(scopes))
        self._beside = {
            task.id
            for task in plan.tasks
            if not beside.isdisjoint((*scopes.around(task.id), task.id))
            # A step of kalelite's own is about the folder itself, not about a view of it.
            and not (isinstance(task.step, StepDef) and task.step.is_own)
        }

    def of(self, instance: Instance) -> list[int]:
        """Sorts an instance among all others; empty if none can run beside it."""
        if instance.task not in self._beside:
            return []
        turn: list[int] = []
        positions = iter(instance.index)
        for block in self._scopes.loops[instance.task]:
            turn += [self._numbers[block], next(positions)]
        return [*turn, self._numbers[instance.task]]


def _beside(scopes: Scopes) -> Iterable[str]:
    """Tasks and blocks that may run beside a sibling, and loops whose items may run together."""
    for id, item in scopes.items.items():
        if isinstance(item, Loop) and item.parallelism != 1:
            yield id
    for scope, children in scopes.children.items():
        if scopes.is_switch(scope):
            continue
        before = _closure(children, scopes.waits)
        after = _closure(children[::-1], scopes.users)
        for id in children:
            if before[id].bit_count() + after[id].bit_count() + 1 < len(children):
                yield id


def _closure(ids: tuple[str, ...], edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """For each id all that it reaches, as a set of bits; those come before it in ``ids``."""
    bits = {id: 1 << position for position, id in enumerate(ids)}
    reached: dict[str, int] = {}
    for id in ids:
        found = 0
        for other in edges[id]:
            found |= reached[other] | bits[other]
        reached[id] = found
    return reached
