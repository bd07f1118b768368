"""The plan as nested graphs: what stands in what, and what waits for what in each of them.

KFP makes a graph of its own of every block, and a task only waits for tasks and blocks of its own
graph. So a wait that crosses blocks is lifted to the outermost block that it leaves or enters.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kalelite.plan.graph import (
    Block,
    Branch,
    ExitScope,
    Expr,
    Loop,
    OneOf,
    OutputRef,
    Plan,
    Switch,
    Task,
)

__all__ = ["ROOT", "Nesting", "conditions_and_items", "nesting_of"]

ROOT = ""


@dataclass(frozen=True, slots=True)
class Nesting:
    """The tree of blocks.

    Attributes
    ----------
    items
        Tasks and blocks by id.
    children
        Ids in each block, ordered so that everything comes after what it waits for.
    waits
        For each id the siblings that it waits for, for a value or otherwise.
    orders
        The part of ``waits`` that no value stands for.
    handlers
        The exit scope of each handler task.
    """

    items: Mapping[str, Task | Block]
    children: Mapping[str, tuple[str, ...]]
    waits: Mapping[str, tuple[str, ...]]
    orders: Mapping[str, tuple[str, ...]]
    handlers: Mapping[str, str]

    def chain(self, id: str) -> tuple[str, ...]:
        """The blocks around an item, outermost first, without the root."""
        blocks: list[str] = []
        parent = self.items[id].parent
        while parent != ROOT:
            blocks.append(parent)
            parent = self.items[parent].parent
        return tuple(reversed(blocks))

    def below(self, id: str) -> Iterator[Task | Block]:
        """Everything inside a block, not the block itself."""
        stack = list(reversed(self.children.get(id, ())))
        while stack:
            inner = stack.pop()
            yield self.items[inner]
            stack.extend(reversed(self.children.get(inner, ())))


def nesting_of(plan: Plan) -> Nesting:
    """Arrange a plan's tasks and blocks."""
    items: dict[str, Task | Block] = {block.id: block for block in plan.blocks}
    items.update((task.id, task) for task in plan.tasks)
    parents = {id: item.parent for id, item in items.items()}
    handlers = {
        block.handler: block.id
        for block in plan.blocks
        if isinstance(block, ExitScope) and block.handler
    }
    values = _lift(_value_needs(plan), parents)
    orders = _lift(_order_needs(plan), parents)
    for handler, scope in handlers.items():
        orders[handler].append(scope)
    switches = {block.id for block in plan.blocks if isinstance(block, Switch)}
    for id, parent in parents.items():
        if parent in switches:
            values.pop(id, None)
            orders.pop(id, None)
    waits = {id: tuple(dict.fromkeys([*values[id], *orders[id]])) for id in items}
    only = {id: tuple(other for other in orders[id] if other not in values[id]) for id in items}
    return Nesting(items, _children(plan, items, waits), waits, only, handlers)


def conditions_and_items(block: Block) -> Iterator[Expr]:
    """The expressions that a block itself reads."""
    if isinstance(block, Branch) and block.condition is not None:
        yield block.condition
    elif isinstance(block, Loop):
        yield block.items


def _value_needs(plan: Plan) -> Iterator[tuple[str, Iterable[str]]]:
    for task in plan.tasks:
        yield task.id, _sources(task.arguments.values())
    for block in plan.blocks:
        yield block.id, _sources(conditions_and_items(block))


def _order_needs(plan: Plan) -> Iterator[tuple[str, Iterable[str]]]:
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    previous: list[str] = []
    for task in plan.tasks:
        if task.id in handlers:
            yield task.id, task.after
            continue
        yield task.id, [*task.after, *previous]
        if plan.options.order == "calls":
            previous = [task.id]


def _sources(values: Iterable[Expr]) -> Iterator[str]:
    for value in values:
        for expr in value.walk():
            if isinstance(expr, OutputRef):
                yield expr.task
            elif isinstance(expr, OneOf):
                yield expr.switch


def _lift(
    needs: Iterator[tuple[str, Iterable[str]]], parents: Mapping[str, str]
) -> defaultdict[str, list[str]]:
    """Waits between siblings, from waits between any two items."""
    lifted: defaultdict[str, list[str]] = defaultdict(list)
    for id, others in needs:
        for other in others:
            pair = _siblings(id, other, parents)
            if pair is not None and pair[1] not in lifted[pair[0]]:
                lifted[pair[0]].append(pair[1])
    return lifted


def _siblings(id: str, other: str, parents: Mapping[str, str]) -> tuple[str, str] | None:
    """The items of one block that hold ``id`` and ``other``; None if one holds the other."""
    chain = {parents[id]: id}
    while parents[id] != ROOT:
        id = parents[id]
        chain[parents[id]] = id
    while parents[other] not in chain:
        other = parents[other]
    waiter = chain[parents[other]]
    return None if waiter == other else (waiter, other)


def _children(
    plan: Plan, items: Mapping[str, Task | Block], waits: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Children in an order that respects the waits, in call order where there is a choice."""
    call = {task.id: number for number, task in enumerate(plan.tasks)}
    for task in plan.tasks:
        parent = task.parent
        while parent != ROOT:
            call.setdefault(parent, call[task.id])
            parent = items[parent].parent
    grouped: dict[str, list[str]] = {ROOT: [], **{block.id: [] for block in plan.blocks}}
    for id, item in items.items():
        grouped[item.parent].append(id)
    last = len(plan.tasks)
    return {
        parent: tuple(
            ids
            if isinstance(items.get(parent), Switch)
            else _sorted(ids, waits, {id: call.get(id, last) for id in ids})
        )
        for parent, ids in grouped.items()
    }


def _sorted(
    ids: list[str], waits: Mapping[str, tuple[str, ...]], call: Mapping[str, int]
) -> list[str]:
    waiting = {id: len(waits[id]) for id in ids}
    users: defaultdict[str, list[str]] = defaultdict(list)
    for id in ids:
        for other in waits[id]:
            users[other].append(id)
    ready = [(call[id], id) for id in ids if not waiting[id]]
    heapq.heapify(ready)
    result = []
    while ready:
        _, id = heapq.heappop(ready)
        result.append(id)
        for user in users[id]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, (call[user], user))
    return result
