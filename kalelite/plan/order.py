"""Who waits for whom: the nesting of a plan's blocks, its edges, and the order in each scope.

As in KFP v2, where each block is a graph of its own, a task or block only waits for those of its
own scope: a wait that crosses blocks is lifted to the outermost block that it leaves or enters. So
a step after one step of a loop waits for the whole loop, and a block waits for all that the steps
inside it take from outside.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import chain, pairwise

from kalelite.plan.graph import Batches, Block, Branch, ExitScope, Expr, Loop, Plan, Switch, Task

ROOT = ""
"""What stands in no block stands in this one: the pipeline itself."""

_Edges = dict[str, dict[str, None]]
"""For each id the ids that it waits for: an ordered set."""


class Nesting:
    """The tree of a plan's blocks.

    Attributes
    ----------
    blocks, tasks
        By id.
    items
        Both together, blocks first.
    handlers
        The exit scope of each handler task.
    """

    def __init__(self, plan: Plan) -> None:
        self.blocks = {block.id: block for block in plan.blocks}
        self.tasks = {task.id: task for task in plan.tasks}
        self.items: dict[str, Task | Block] = {**self.blocks, **self.tasks}
        self.handlers = {
            block.handler: block.id
            for block in plan.blocks
            if isinstance(block, ExitScope) and block.handler
        }
        self._chains: dict[str, tuple[str, ...]] = {ROOT: ()}

    def parent(self, id: str) -> str:
        """The block that a task or block stands in."""
        item = self.items.get(id)
        return item.parent if item is not None else ROOT

    def around(self, id: str) -> tuple[str, ...]:
        """The blocks around a task or block, outermost first."""
        parent = self.parent(id)
        if parent not in self._chains:
            self._chains[parent] = (*self.around(parent), parent)
        return self._chains[parent]

    def seen_from(self, waiting: str, source: str) -> str:
        """What ``waiting`` waits for if it needs ``source``.

        That is ``source`` itself if the blocks around it are around ``waiting``, too; otherwise
        the outermost block that ``waiting`` is not in.
        """
        pair = self.siblings(waiting, source)
        return pair[1] if pair else source

    def siblings(self, waiting: str, source: str) -> tuple[str, str] | None:
        """The items of one block that hold the two; None if one of the two holds the other."""
        here, there = (*self.around(waiting), waiting), (*self.around(source), source)
        for one, other in zip(here, there, strict=False):
            if one != other:
                return one, other
        return None

    def is_switch(self, id: str) -> bool:
        """Whether that is the id of an If/Elif/Else chain."""
        return isinstance(self.blocks.get(id), Switch)

    def calls(self) -> Iterator[tuple[int, str]]:
        """Each block with the number of the first call in it, and each task with its own."""
        seen: set[str] = set()
        for number, task in enumerate(self.tasks.values()):
            for id in (*self.around(task.id), task.id):
                if id not in seen:
                    seen.add(id)
                    yield number, id


class Scopes(Nesting):
    """The scopes of a plan: the pipeline itself, and each of its blocks.

    Attributes
    ----------
    waits
        For each id the siblings that it waits for, for a value or otherwise.
    users
        For each id the siblings that wait for it.
    orders
        The part of ``waits`` that no value stands for.
    children
        Ids in each scope, each after those that it waits for, else in call order.
    loops
        For each id the loops around it, outermost first.

    Raises `graphlib.CycleError` if some of them wait for each other; its second argument is the ring.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        by_value, by_order = _needs(plan, self)
        values = self._lifted(by_value)
        self.waits = self._lifted({id: {**by_value[id], **by_order[id]} for id in by_value})
        for handler, scope in self.handlers.items():
            self.waits[handler][scope] = None
        self.users: dict[str, list[str]] = {id: [] for id in self.waits}
        for id, others in self.waits.items():
            for other in others:
                self.users[other].append(id)
        self.orders = {
            id: tuple(other for other in found if other not in values[id])
            for id, found in self.waits.items()
        }
        self.children = self._children()
        self.loops = {
            id: tuple(block for block in self.around(id) if isinstance(self.blocks[block], Loop))
            for id in self.items
        }

    def below(self, id: str) -> Iterator[Task | Block]:
        """Everything inside a block, not the block itself; a block before what is in it."""
        stack = list(reversed(self.children.get(id, ())))
        while stack:
            inner = stack.pop()
            yield self.items[inner]
            stack.extend(reversed(self.children.get(inner, ())))

    def tasks_of(self, id: str) -> Iterator[Task]:
        """The tasks inside a block, in an order in which they could run; of a task, itself."""
        if id in self.tasks:
            yield self.tasks[id]
        yield from (item for item in self.below(id) if isinstance(item, Task))

    def _lifted(self, edges: _Edges) -> _Edges:
        """Waits between siblings, from waits between any two."""
        waits: _Edges = {id: {} for id in self.items}
        for id, others in edges.items():
            for other in others:
                pair = self.siblings(id, other)
                if pair is not None:
                    waits[pair[0]][pair[1]] = None
        for id in self.items:
            if self.is_switch(self.parent(id)):
                # At most one branch runs, so a branch that waited for another would never start.
                waits[id].clear()
        return waits

    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {id: [] for id in (ROOT, *self.blocks)}
        for id in self.items:
            children[self.parent(id)].append(id)
        # Without a call in it, a block comes last.
        rank = dict.fromkeys(self.items, len(self.tasks))
        rank.update((id, number) for number, id in self.calls())
        return {
            scope: tuple(ids if self.is_switch(scope) else self._sorted(ids, rank))
            for scope, ids in children.items()
        }

    def _sorted(self, ids: Iterable[str], rank: Mapping[str, int]) -> Iterator[str]:
        """Ids so that each comes after what it waits for; among those that could, by rank."""
        sorter = TopologicalSorter({id: self.waits[id] for id in ids})
        sorter.prepare()
        ready: list[tuple[int, str]] = []
        while sorter.is_active():
            for id in sorter.get_ready():
                heapq.heappush(ready, (rank[id], id))
            id = heapq.heappop(ready)[1]
            yield id
            sorter.done(id)


def is_wide(plan: Plan) -> bool:
    """Whether tasks may run side by side: those of a loop, or two of which none waits for the other."""
    scopes = Scopes(plan)
    for id, children in scopes.children.items():
        block = scopes.blocks.get(id)
        if isinstance(block, Loop) and block.parallelism != 1:
            return True
        if not scopes.is_switch(id) and any(
            one not in scopes.waits[other] for one, other in pairwise(children)
        ):
            return True
    return False


def cycle(plan: Plan) -> tuple[str, ...]:
    """Ids of tasks and blocks that wait for each other in a ring; empty if there is none."""
    for task in plan.tasks:
        if task.id in task.after:
            return (task.id,)
    try:
        Scopes(plan)
    except CycleError as error:
        return tuple(error.args[1][1:])
    return ()


def dependencies(plan: Plan) -> dict[str, tuple[str, ...]]:
    """For each task and block, the ids of the tasks and blocks that it waits for itself.

    A task also starts no sooner than the block that it stands in, and a block ends when all in
    it has ended; neither is listed. A value from inside a block that the consumer is not in is
    waited for as that block.
    """
    values, orders = _needs(plan, Nesting(plan))
    return {id: tuple({**found, **orders[id]}) for id, found in values.items()}


def in_call_order(plan: Plan, groups: Collection[str]) -> Plan:
    """The plan with the waits that ``order="calls"`` of the given nested pipelines asks for.

    Among them, `ROOT` is the pipeline itself. A block waits through its first task: a wait that
    crosses into a block is one of the block.
    """
    if not groups:
        return plan
    wanted = set(groups)
    nesting = Nesting(plan)
    first = {id: plan.tasks[number].id for number, id in nesting.calls()}
    waits: dict[str, list[str]] = {}
    for id, before in _neighbours(nesting):
        if wanted.isdisjoint((ROOT, *nesting.around(id))):
            continue
        waits.setdefault(first[id], []).append(before)
    tasks = [
        replace(task, after=tuple(dict.fromkeys((*task.after, *waits.get(task.id, ())))))
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def expressions(block: Block) -> tuple[Expr, ...]:
    """The expressions that a block itself reads."""
    if isinstance(block, Loop):
        return (block.items,)
    if isinstance(block, Batches):
        return (block.numbers,)
    if isinstance(block, Branch) and block.condition is not None:
        return (block.condition,)
    return ()


def _needs(plan: Plan, nesting: Nesting) -> tuple[_Edges, _Edges]:
    """`dependencies` in two parts: those that a value stands for, and those for order alone."""
    values: _Edges = {id: {} for id in nesting.items}
    for block in nesting.blocks.values():
        sources = list(_sources(expressions(block)))
        readers = (block.id, block.parent) if isinstance(block, Branch) else (block.id,)
        for reader in readers:
            values[reader].update(_seen(nesting, reader, sources))
    for task in nesting.tasks.values():
        values[task.id] = _seen(nesting, task.id, _sources(task.arguments.values()))
    orders: _Edges = {id: {} for id in values}
    for task in plan.tasks:
        orders[task.id] = _seen(nesting, task.id, task.after)
    if plan.options.order == "calls":
        for id, before in _neighbours(nesting):
            orders[id][before] = None
    return values, orders


def _seen(nesting: Nesting, waiting: str, sources: Iterable[str]) -> dict[str, None]:
    found = (nesting.seen_from(waiting, source) for source in sources)
    inside = {*nesting.around(waiting), waiting}
    return {id: None for id in found if id not in inside or id == waiting}


def _sources(exprs: Iterable[Expr]) -> Iterator[str]:
    return chain.from_iterable(expr.sources() for expr in exprs)


def _neighbours(nesting: Nesting) -> Iterator[tuple[str, str]]:
    """Pairs of neighbours in call order, for ``order="calls"``, the later one first.

    Neighbours stand in the same block; branches of a switch exclude each other and have no
    order, and an exit handler runs last anyway.
    """
    last: dict[str, str] = {}
    for id in _sequence(nesting):
        parent = nesting.parent(id)
        if id in nesting.handlers or nesting.is_switch(parent):
            continue
        if parent in last:
            yield id, last[parent]
        last[parent] = id


def _sequence(nesting: Nesting) -> list[str]:
    """All tasks and blocks in the order of the body.

    A plan lists tasks and blocks apart. A block comes where its first task does, a switch
    where its last branch does: a step called for the condition of an Elif comes before.
    """
    first: dict[str, int] = {}
    for number, id in nesting.calls():
        first[id] = number
        if nesting.is_switch(nesting.parent(id)):
            first[nesting.parent(id)] = number
    return sorted(first, key=lambda node: (first[node], len(nesting.around(node))))
