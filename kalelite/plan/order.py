"""What has to come before what: the edges of a plan."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from kalelite.plan.graph import Block, Branch, Expr, Loop, OneOf, OutputRef, Plan, Switch
from kalelite.plan.nesting import ROOT, Nesting

__all__ = [
    "cycle",
    "dependencies",
    "expressions",
    "in_call_order",
    "in_order",
    "needs",
    "topological",
]

_Edges = dict[str, dict[str, None]]
"""For each id the ids that it waits for: an ordered set."""


def dependencies(plan: Plan) -> dict[str, tuple[str, ...]]:
    """For each task and block, the ids of the tasks and blocks that it waits for itself.

    A task also starts no sooner than the block that it stands in, and a block ends when all in
    it has ended; neither is listed. A value from inside a block that the consumer is not in is
    waited for as that block.
    """
    values, orders = needs(plan, Nesting(plan))
    return {
        id: (*found, *(other for other in orders[id] if other not in found))
        for id, found in values.items()
    }


def needs(plan: Plan, nesting: Nesting) -> tuple[_Edges, _Edges]:
    """`dependencies` in two parts: those that a value stands for, and those that say the order."""
    values = _values(nesting)
    orders: _Edges = {id: {} for id in values}
    for task in plan.tasks:
        orders[task.id] = _seen(nesting, task.id, task.after)
    if plan.options.order == "calls":
        for id, before in _calls(nesting):
            orders[id][before] = None
    return values, orders


def _values(nesting: Nesting) -> _Edges:
    result: _Edges = {}
    switches: dict[str, list[str]] = {}
    for block in nesting.blocks.values():
        sources = list(_sources(expressions(block)))
        result[block.id] = _seen(nesting, block.id, sources)
        if isinstance(block, Branch):
            switches.setdefault(block.parent, []).extend(sources)
    for switch, sources in switches.items():
        result.setdefault(switch, {}).update(_seen(nesting, switch, sources))
    for task in nesting.tasks.values():
        result[task.id] = _seen(nesting, task.id, _sources(task.arguments.values()))
    return result


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
    for id, before in _calls(nesting):
        if wanted.isdisjoint((ROOT, *nesting.around(id))):
            continue
        waits.setdefault(first[id], []).append(before)
    tasks = [
        replace(task, after=tuple(dict.fromkeys((*task.after, *waits.get(task.id, ())))))
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def _seen(nesting: Nesting, waiting: str, sources: Iterable[str]) -> dict[str, None]:
    found = (nesting.seen_from(waiting, source) for source in sources)
    inside = {*nesting.around(waiting), waiting}
    return {id: None for id in found if id not in inside or id == waiting}


def expressions(block: Block) -> tuple[Expr, ...]:
    """The expressions that a block itself reads."""
    if isinstance(block, Loop):
        return (block.items,)
    if isinstance(block, Branch) and block.condition is not None:
        return (block.condition,)
    return ()


def _sources(exprs: Iterable[Expr]) -> Iterator[str]:
    """Tasks and switches whose values the expressions take."""
    for expr in exprs:
        for part in expr.walk():
            if isinstance(part, OutputRef):
                yield part.task
            elif isinstance(part, OneOf):
                yield part.switch


def _calls(nesting: Nesting) -> Iterator[tuple[str, str]]:
    """Pairs of neighbours in call order, for ``order="calls"``.

    Neighbours stand in the same block; branches of a switch exclude each other and have no
    order, and an exit handler runs last anyway.
    """
    last: dict[str, str] = {}
    for id in _sequence(nesting):
        parent = nesting.parent(id)
        if id in nesting.handlers or isinstance(nesting.blocks.get(parent), Switch):
            continue
        if parent in last:
            yield id, last[parent]
        last[parent] = id


def _sequence(nesting: Nesting) -> list[str]:
    """All tasks and blocks in the order of the body.

    Tasks and blocks are kept apart in a plan. A block comes where its first task does, a switch
    where its last branch does: a step called for the condition of an Elif comes before.
    """
    first: dict[str, int] = {}
    for number, id in nesting.calls():
        first[id] = number
        if isinstance(nesting.blocks.get(nesting.parent(id)), Switch):
            first[nesting.parent(id)] = number
    return sorted(first, key=lambda node: (first[node], len(nesting.around(node))))


def _graph(plan: Plan) -> dict[str, list[str]]:
    """For each node the nodes that have to be through before it.

    A block is two nodes: its id is its start, ``id + "/end"`` its end.
    """
    nesting = Nesting(plan)
    waits: dict[str, list[str]] = {}

    def end(id: str) -> str:
        return f"{id}/end" if id in nesting.blocks else id

    for id, found in dependencies(plan).items():
        waits[id] = [end(other) for other in found]
    for id in [*nesting.blocks, *nesting.tasks]:
        around = nesting.around(id)
        if around:
            waits[id].append(around[-1])
            waits.setdefault(f"{around[-1]}/end", []).append(end(id))
    for id in nesting.blocks:
        waits.setdefault(f"{id}/end", []).append(id)
    for task, scope in nesting.handlers.items():
        if task in waits:
            waits[task].append(f"{scope}/end")
    return waits


def in_order(
    waits: Mapping[str, Iterable[str]], rank: Mapping[str, int]
) -> tuple[list[str], dict[str, set[str]]]:
    """Ids so that each comes after what it waits for, and what is left where there is no such order.

    Of those that are ready the one of the lowest rank is taken, and before it what has no rank.
    """
    left = {id: set(found) for id, found in waits.items()}
    followers: dict[str, list[str]] = {}
    for id, found in left.items():
        for before in found:
            followers.setdefault(before, []).append(id)
    ready = [(rank.get(id, -1), id) for id, found in left.items() if not found]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        id = heapq.heappop(ready)[1]
        order.append(id)
        del left[id]
        for follower in followers.get(id, ()):
            left[follower].discard(id)
            if not left[follower]:
                heapq.heappush(ready, (rank.get(follower, -1), follower))
    return order, left


def _sort(plan: Plan) -> tuple[list[str], dict[str, set[str]]]:
    # Call order is kept where it can be; blocks open and close as soon as they can.
    return in_order(_graph(plan), {task.id: number for number, task in enumerate(plan.tasks)})


def topological(plan: Plan) -> tuple[str, ...]:
    """Ids of all tasks in an order in which they could run one by one.

    Raises
    ------
    ValueError
        The plan has a cycle; `cycle` tells which.
    """
    order, left = _sort(plan)
    if left:
        raise ValueError(f"the plan has a cycle: {' -> '.join(cycle(plan))}")
    tasks = {task.id for task in plan.tasks}
    return tuple(id for id in order if id in tasks)


def cycle(plan: Plan) -> tuple[str, ...]:
    """Ids of tasks and blocks that wait for each other in a ring; empty if there is none."""
    left = _sort(plan)[1]
    if not left:
        return ()
    # Everything that is left waits for something left: going back leads into the ring.
    path: dict[str, None] = {}
    id = next(iter(left))
    while id not in path:
        path[id] = None
        id = next(before for before in left[id] if before in left)
    ring = list(path)[list(path).index(id) :]
    names = [node.removesuffix("/end") for node in reversed(ring)]
    return tuple(dict.fromkeys(names))
