"""The plan's scopes as the schedule reads them: nodes that know whom they wait for and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kalelite.plan.graph import Block, Loop, Plan, Task
from kalelite.plan.nesting import ROOT
from kalelite.plan.scopes import Scopes

__all__ = ["ROOT", "Node", "Outline", "outline"]


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
    """All nodes by id, and the children of each scope."""

    nodes: Mapping[str, Node]
    children: Mapping[str, tuple[str, ...]]

    def tasks_below(self, id: str) -> Iterator[Node]:
        """The task nodes of a subtree; of the task itself if it is one."""
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
    scopes = Scopes(plan)
    users: dict[str, list[str]] = defaultdict(list)
    for id, others in scopes.waits.items():
        for other in others:
            users[other].append(id)
    nodes = {
        id: Node(
            id=id,
            item=item,
            parent=item.parent,
            waits=scopes.waits[id],
            users=tuple(users[id]),
            scope=scopes.handlers.get(id, ""),
            loops=tuple(b for b in scopes.around(id) if isinstance(scopes.blocks[b], Loop)),
        )
        for id, item in scopes.items.items()
    }
    return Outline(nodes, scopes.children)
