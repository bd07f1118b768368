"""Items of loops over constants: which parts they have, and of what types, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from kalelite.errors import Problem, Where
from kalelite.plan.graph import (
    Constant,
    Expr,
    ItemRef,
    Loop,
    OutputRef,
    Plan,
    at_line,
    subscripts,
)
from kalelite.plan.order import expressions
from kalelite.plan.types.hints import UNKNOWN


class LackError(Exception):
    """Says which item has no such part."""


class Items:
    """What is known of the items of a plan's loops."""

    def __init__(self, plan: Plan) -> None:
        self.loops = {block.id: block for block in plan.blocks if isinstance(block, Loop)}
        self._tasks = {task.id: task for task in plan.tasks}
        self._known: dict[ItemRef, list[Any]] = {}

    def values(self, ref: ItemRef) -> list[Any]:
        """What the item, or its part, is in turn; empty if that is not known before it runs.

        Raises `LackError` if one of the items has no such part.
        """
        if ref not in self._known:
            if ref.path:
                *path, key = ref.path
                whole = self.values(ItemRef(ref.loop, tuple(path)))
                phrase = f"`item{subscripts(path)}`" if path else "item"
                found = [_part(value, key, f"{phrase} {n}") for n, value in enumerate(whole)]
            else:
                found = self._of(self.loops[ref.loop].items)
            self._known[ref] = found
        return self._known[ref]

    def _of(self, items: Expr) -> list[Any]:
        if isinstance(items, Constant) and isinstance(items.value, (list, tuple)):
            return list(items.value)
        if isinstance(items, ItemRef):
            lists = self.values(items)
            return [value for each in lists if isinstance(each, list) for value in each]
        return []

    def type(self, ref: ItemRef) -> Any:
        """The type of the item, or of its part; `UNKNOWN` if nothing says it."""
        items = self.loops[ref.loop].items
        if isinstance(items, OutputRef) and not items.path and not ref.path:
            kind = self._tasks[items.task].output(items.output).type
            return get_args(kind)[0] if get_origin(kind) is list else UNKNOWN
        try:
            types = {type(value) for value in self.values(ref)}
        except LackError:
            return UNKNOWN
        if types == {int, float}:
            return float
        return types.pop() if len(types) == 1 else UNKNOWN


def check_items(plan: Plan) -> Iterator[Problem]:
    """Parts of items that one of the items does not have."""
    items = Items(plan)
    if not items.loops:
        return
    for ref, where in _refs(plan):
        try:
            items.values(ref)
        except LackError as lack:
            yield Problem(
                f"the item of ParallelFor{at_line(items.loops[ref.loop])} {lack}",
                "Let all items have the same parts, or pass the item on and look inside the step.",
                where,
            )


def _refs(plan: Plan) -> Iterator[tuple[ItemRef, Where | None]]:
    read = [(tuple(task.arguments.values()), task.where) for task in plan.tasks]
    read += [(expressions(block), block.where) for block in plan.blocks]
    for exprs, where in read:
        for expr in exprs:
            yield from ((ref, where) for ref in expr.walk() if isinstance(ref, ItemRef))


def _part(value: Any, key: str | int, phrase: str) -> Any:
    try:
        return value[key]
    except (LookupError, TypeError):
        raise LackError(f"has no [{key!r}]: {phrase} is {value!r:.60}") from None
