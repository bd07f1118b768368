"""What waits for what within one scope: the pipeline itself, or one block.

As in KFP v2, where each block is a graph of its own, a task or block only waits for those of its
own scope: a wait that crosses blocks is lifted to the outermost block that it leaves or enters. So
a step after one step of a loop waits for the whole loop, and a block waits for all that the steps
inside it take from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kalelite.plan.graph import Block, Plan, Switch, Task
from kalelite.plan.nesting import ROOT, Nesting
from kalelite.plan.order import in_order, needs

__all__ = ["Scopes"]

_Waits = dict[str, dict[str, None]]


class Scopes(Nesting):
    """The scopes of a plan; ValueError if things in it wait for each other.

    Attributes
    ----------
    children
        Ids in each scope, each after those that it waits for, else in call order.
    waits
        For each id the siblings that it waits for, for a value or otherwise.
    orders
        The part of ``waits`` that no value stands for.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        by_value, by_order = needs(plan, self)
        values = self._lifted(by_value)
        waits = self._lifted({id: {**by_value[id], **by_order[id]} for id in by_value})
        for handler, scope in self.handlers.items():
            waits[handler][scope] = None
        self.waits: dict[str, tuple[str, ...]] = {id: tuple(found) for id, found in waits.items()}
        self.orders: dict[str, tuple[str, ...]] = {
            id: tuple(other for other in found if other not in values[id])
            for id, found in waits.items()
        }
        self.children: dict[str, tuple[str, ...]] = self._children()

    def below(self, id: str) -> Iterator[Task | Block]:
        """Everything inside a block, not the block itself."""
        stack = list(reversed(self.children.get(id, ())))
        while stack:
            inner = stack.pop()
            yield self.items[inner]
            stack.extend(reversed(self.children.get(inner, ())))

    def _lifted(self, edges: _Waits) -> _Waits:
        """Waits between siblings, from waits between any two; the values are ordered sets."""
        waits: _Waits = {id: {} for id in self.items}
        for id, others in edges.items():
            for other in others:
                pair = self.siblings(id, other)
                if pair is not None:
                    waits[pair[0]][pair[1]] = None
        for id in self.items:
            if self._is_switch(self.parent(id)):
                # At most one branch runs, so a branch that waited for another would never start.
                waits[id].clear()
        return waits

    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {ROOT: [], **{id: [] for id in self.blocks}}
        for id in self.items:
            children[self.parent(id)].append(id)
        # Without a call in it, a block comes last.
        rank = dict.fromkeys(self.items, len(self.tasks))
        rank.update((id, number) for number, id in self.calls())
        return {
            scope: tuple(ids if self._is_switch(scope) else self._sorted(ids, rank))
            for scope, ids in children.items()
        }

    def _sorted(self, ids: list[str], rank: Mapping[str, int]) -> list[str]:
        order, left = in_order({id: self.waits[id] for id in ids}, rank)
        if left:
            raise ValueError(f"these wait for each other: {', '.join(left)}")
        return order

    def _is_switch(self, id: str) -> bool:
        return isinstance(self.blocks.get(id), Switch)
