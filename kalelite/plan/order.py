"""What has to come before what: the edges of a plan."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

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

__all__ = ["Nesting", "cycle", "dependencies", "in_call_order", "topological"]


class Nesting:
    """Which task or block stands in which block."""

    def __init__(self, plan: Plan) -> None:
        self.blocks: dict[str, Block] = {block.id: block for block in plan.blocks}
        self.tasks: dict[str, Task] = {task.id: task for task in plan.tasks}
        self._parents: dict[str, str] = {block.id: block.parent for block in plan.blocks}
        self._parents.update((task.id, task.parent) for task in plan.tasks)
        self._chains: dict[str, tuple[str, ...]] = {"": ()}

    def around(self, id: str) -> tuple[str, ...]:
        """The blocks around a task or block, outermost first."""
        return self._chain(self._parents.get(id, ""))

    def _chain(self, block: str) -> tuple[str, ...]:
        missing = []
        while block not in self._chains:
            missing.append(block)
            block = self._parents.get(block, "")
        for inner in reversed(missing):
            self._chains[inner] = (*self._chains[block], inner)
            block = inner
        return self._chains[block]

    def seen_from(self, waiting: str, source: str) -> str:
        """What ``waiting`` waits for if it needs ``source``.

        That is ``source`` itself if the blocks around it are around ``waiting``, too; otherwise
        the outermost block that ``waiting`` is not in.
        """
        outer = self.around(source)
        here = self.around(waiting)
        if waiting in self.blocks:
            here = (*here, waiting)
        for depth, block in enumerate(outer):
            if depth >= len(here) or here[depth] != block:
                return block
        return source


def dependencies(plan: Plan) -> dict[str, tuple[str, ...]]:
    """For each task and block, the ids of the tasks and blocks that it waits for itself.

    A task also starts no sooner than the block that it stands in, and a block ends when all in
    it has ended; neither is listed. A value from inside a block that the consumer is not in is
    waited for as that block.
    """
    nesting = Nesting(plan)
    switches: dict[str, list[str]] = {}
    result: dict[str, dict[str, None]] = {}
    for block in plan.blocks:
        sources = list(_sources(_block_exprs(block)))
        result[block.id] = _seen(nesting, block.id, sources)
        if isinstance(block, Branch):
            switches.setdefault(block.parent, []).extend(sources)
    for switch, sources in switches.items():
        result.setdefault(switch, {}).update(_seen(nesting, switch, sources))
    handlers = _handlers(plan)
    for task in plan.tasks:
        sources = [*_sources(task.arguments.values()), *task.after]
        result[task.id] = _seen(nesting, task.id, sources)
    if plan.options.order == "calls":
        for id, before in _calls(plan, handlers):
            result[id][before] = None
    return {id: tuple(found) for id, found in result.items()}


def in_call_order(plan: Plan, groups: Collection[str]) -> Plan:
    """The plan with the waits that nested pipelines with ``order="calls"`` ask for.

    A block waits through its first task: a wait that crosses into a block is one of the block.
    """
    if not groups:
        return plan
    nesting = Nesting(plan)
    first: dict[str, str] = {}
    for task in plan.tasks:
        for id in (*nesting.around(task.id), task.id):
            first.setdefault(id, task.id)
    waits: dict[str, list[str]] = {}
    for id, before in _calls(plan, _handlers(plan)):
        if set(groups).isdisjoint(nesting.around(id)):
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


def _block_exprs(block: Block) -> tuple[Expr, ...]:
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


def _handlers(plan: Plan) -> dict[str, str]:
    """The exit scope of each handler task."""
    return {block.handler: block.id for block in plan.blocks if isinstance(block, ExitScope)}


def _calls(plan: Plan, handlers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of neighbours in call order, for ``order="calls"``.

    Neighbours stand in the same block; branches of a switch exclude each other and have no
    order, and an exit handler runs last anyway.
    """
    blocks = {block.id: block for block in plan.blocks}
    last: dict[str, str] = {}
    for id, parent in _sequence(plan):
        if id in handlers or isinstance(blocks.get(parent), Switch):
            continue
        if parent in last:
            yield id, last[parent]
        last[parent] = id


def _sequence(plan: Plan) -> Iterator[tuple[str, str]]:
    """All tasks and blocks in the order of the body, each with the block it stands in.

    Tasks and blocks are kept apart in a plan. A block comes where its first task does, a switch
    where its last branch does: a step called for the condition of an Elif comes before.
    """
    nesting = Nesting(plan)
    first: dict[str, int] = {}
    for number, task in enumerate(plan.tasks):
        around = nesting.around(task.id)
        for outer, id in zip(("", *around), (*around, task.id), strict=True):
            if isinstance(nesting.blocks.get(outer), Switch) and id not in first:
                first[outer] = number
            first.setdefault(id, number)
    for id in sorted(first, key=lambda node: (first[node], len(nesting.around(node)))):
        around = nesting.around(id)
        yield id, around[-1] if around else ""


def _graph(plan: Plan) -> dict[str, list[str]]:
    """For each node the nodes that have to be through before it.

    A block is two nodes: its id is its start, ``id + "/end"`` its end.
    """
    nesting = Nesting(plan)
    waits: dict[str, list[str]] = {}
    handlers = _handlers(plan)

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
    for task, scope in handlers.items():
        if task in waits:
            waits[task].append(f"{scope}/end")
    return waits


def _sort(plan: Plan) -> tuple[list[str], dict[str, set[str]]]:
    """Nodes in an order that keeps every edge, as far as there is one, and what is left."""
    waits = {id: set(found) for id, found in _graph(plan).items()}
    followers: dict[str, list[str]] = {}
    for id, found in waits.items():
        for before in found:
            followers.setdefault(before, []).append(id)
    # Of the tasks that are ready the one called first is taken, so call order is kept where it
    # can be; blocks open and close as soon as they can.
    rank = {task.id: number for number, task in enumerate(plan.tasks)}
    ready = [(rank.get(id, -1), id) for id, found in waits.items() if not found]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        id = heapq.heappop(ready)[1]
        order.append(id)
        del waits[id]
        for follower in followers.get(id, ()):
            waits[follower].discard(id)
            if not waits[follower]:
                heapq.heappush(ready, (rank.get(follower, -1), follower))
    return order, waits


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
