"""The functions of tasks that the compiler adds, for what KFP cannot do with values itself.

KFP cannot compare a part of a value, or join conditions: a task of one of these functions does.
"""

from __future__ import annotations

from typing import Any

from kalelite.plan.comparisons import COMPARISONS


def same(value: Any) -> Any:
    """The value itself, as an output of one task."""
    return value


def items(value: Any) -> list[Any]:
    """The items of a loop, as a list of their own."""
    return list(value)


def decide(tree: list[Any], values: list[Any]) -> bool:
    """Whether a condition holds.

    ``tree`` is ``["==", left, right]`` and so on, ``["and", …]``, ``["or", …]``,
    ``["not", operand]`` or ``["value", n]``, the n-th of the ``values`` that it reads.
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
    return COMPARISONS[kind](_evaluate(parts[0], values), _evaluate(parts[1], values))
