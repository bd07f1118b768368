"""The plan as a tree of scopes: what waits for what among the nodes of one scope.

A scope is the pipeline itself or one block. As in KFP v2, where each block is a graph of its
own, a node only waits for nodes of its own scope: a wait that crosses blocks is lifted to the
outermost block that it leaves or enters. So a step after one step of a loop waits for the whole
loop, and a block waits for all that the steps inside it take from outside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from kalelite.plan.graph import (
    Block,
    ExitScope,
    Loop,
    Plan,
    Switch,
    Task,
)
from kalelite.plan.order import dependencies

__all__ = ["Node", "Outline", "outline"]

ROOT = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A task or block among its siblings.

    ``waits`` and ``users`` are siblings. ``scope`` is the exit scope that the node is the
    handler of, "" for others. ``loops`` are the loops around it, outermost first.
    """

    id: str
    item: Task | Block
    parent: str
    waits: tuple[str, ...]
    users: tuple[str, ...]
    scope: str
    loops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """All nodes by id, and the children of each scope in call order."""

    nodes: dict[str, Node]
    children: dict[str, tuple[str, ...]]

    def tasks_below(self, id: str) -> Iterator[Node]:
        """The task nodes of a subtree, in call order; of the task itself if it is one."""
        stack = [id]
        while stack:
            node = self.nodes[stack.pop()]
            if isinstance(node.item, Task):
                yield node
            stack.extend(reversed(self.children.get(node.id, ())))

    def contains(self, ancestor: str, id: str) -> bool:
        """Whether a node is, or stands inside, a block."""
        while id != ROOT:
            if id == ancestor:
                return True
            id = self.nodes[id].parent
        return ancestor == ROOT


def outline(plan: Plan) -> Outline:
    """Arrange a plan's tasks and blocks into scopes."""
    items: dict[str, Task | Block] = {block.id: block for block in plan.blocks}
    items.update((task.id, task) for task in plan.tasks)
    parents = {id: item.parent for id, item in items.items()}
    scopes = {
        block.handler: block.id
        for block in plan.blocks
        if isinstance(block, ExitScope) and block.handler
    }
    waits = _lifted(plan, parents, scopes)
    users: dict[str, list[str]] = defaultdict(list)
    for id, others in waits.items():
        for other in others:
            users[other].append(id)
    nodes = {
        id: Node(
            id=id,
            item=item,
            parent=item.parent,
            waits=tuple(waits[id]),
            users=tuple(users[id]),
            scope=scopes.get(id, ""),
            loops=_loops(id, items),
        )
        for id, item in items.items()
    }
    return Outline(nodes, _children(plan))


def _children(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Children of every scope: blocks before tasks, each in call order."""
    children: dict[str, list[str]] = {ROOT: []}
    for block in plan.blocks:
        children[block.id] = []
    items: list[Task | Block] = [*plan.blocks, *plan.tasks]
    for item in items:
        children[item.parent].append(item.id)
    return {id: tuple(ids) for id, ids in children.items()}


def _lifted(
    plan: Plan, parents: dict[str, str], scopes: dict[str, str]
) -> dict[str, dict[str, None]]:
    """Waits between siblings; the values are ordered sets."""
    waits: dict[str, dict[str, None]] = {id: {} for id in parents}
    for id, others in dependencies(plan).items():
        for other in others:
            pair = _siblings(id, other, parents)
            if pair is not None:
                waits[pair[0]][pair[1]] = None
    for handler, scope in scopes.items():
        waits[handler][scope] = None
    switches = {block.id for block in plan.blocks if isinstance(block, Switch)}
    for id, parent in parents.items():
        if parent in switches:
            # At most one branch runs, so a branch that waited for another would never start.
            waits[id].clear()
    return waits


def _siblings(id: str, other: str, parents: dict[str, str]) -> tuple[str, str] | None:
    """The nodes of one scope that hold ``id`` and ``other``, None if one holds the other."""
    chain = {}
    below = id
    while True:
        chain[parents[below]] = below
        if parents[below] == ROOT:
            break
        below = parents[below]
    top = other
    while parents[top] not in chain:
        top = parents[top]
    waiter = chain[parents[top]]
    return None if waiter == top else (waiter, top)


def _loops(id: str, items: dict[str, Task | Block]) -> tuple[str, ...]:
    loops = []
    parent = items[id].parent
    while parent != ROOT:
        if isinstance(items[parent], Loop):
            loops.append(parent)
        parent = items[parent].parent
    return tuple(reversed(loops))
