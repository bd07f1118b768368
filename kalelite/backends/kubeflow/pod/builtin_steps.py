"""What a backend lets a task of its own do with values, where it cannot do it itself.

A backend that cannot compare a part of a value, or join conditions, makes a task of one of these
functions. They travel with the executor.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["decide", "items", "same"]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def same(value: Any) -> Any:
    """The value itself, as an output of one task."""
    return value


def items(value: Any) -> list[Any]:
    """The items of a loop, as a list of their own."""
    return list(value)


def decide(tree: list[Any], values: list[Any]) -> bool:
    """Whether a condition holds.

    Parameters
    ----------
    tree
        ``["==", left, right]`` and so on, ``["and", …]``, ``["or", …]``, ``["not", operand]`` or
        ``["value", n]``, the n-th of ``values``.
    values
        The values that the condition reads.
    """
    return bool(_evaluate(tree, values))


def _evaluate(tree: list[Any], values: list[Any]) -> Any:
    kind, *parts = tree
    if kind == "value":
        return values[parts[0]]
    if kind == "and":
        return all(_evaluate(part, values) for part in parts)
    if kind == "or":
        return any(_evaluate(part, values) for part in parts)
    if kind == "not":
        return not _evaluate(parts[0], values)
    return _COMPARE[kind](_evaluate(parts[0], values), _evaluate(parts[1], values))
