"""Blocks: ``with If(...)``, ``with ParallelFor(...)``, ``with ExitHandler(...)``."""

from __future__ import annotations

from kalelite.plan.graph import Block

__all__ = ["ControlBlock"]


class ControlBlock:
    """What the block statements have in common; ``block`` is the block once it is open."""

    block: Block | None = None
