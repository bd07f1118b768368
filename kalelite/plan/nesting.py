"""Which task or block of a plan stands in which block."""

from __future__ import annotations

from collections.abc import Iterator

from kalelite.plan.graph import Block, ExitScope, Plan, Task

__all__ = ["ROOT", "Nesting"]

ROOT = ""
"""What stands in no block stands in this one: the pipeline itself."""


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
        self.blocks: dict[str, Block] = {block.id: block for block in plan.blocks}
        self.tasks: dict[str, Task] = {task.id: task for task in plan.tasks}
        self.items: dict[str, Task | Block] = {**self.blocks, **self.tasks}
        self.handlers: dict[str, str] = {
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
        return self._chain(self.parent(id))

    def _chain(self, block: str) -> tuple[str, ...]:
        missing = []
        while block not in self._chains:
            missing.append(block)
            block = self.parent(block)
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

    def siblings(self, waiting: str, source: str) -> tuple[str, str] | None:
        """The items of one block that hold the two; None if one of the two holds the other."""
        here, there = (*self.around(waiting), waiting), (*self.around(source), source)
        for one, other in zip(here, there, strict=False):
            if one != other:
                return one, other
        return None

    def calls(self) -> Iterator[tuple[int, str]]:
        """Each block with the number of the first call in it, and each task with its own."""
        seen: set[str] = set()
        for number, task in enumerate(self.tasks.values()):
            for id in (*self.around(task.id), task.id):
                if id not in seen:
                    seen.add(id)
                    yield number, id
