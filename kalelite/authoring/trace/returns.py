"""How many values a function can return, as far as its ``return`` statements show."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from kalelite.source.locations import definition_of, returns_in

__all__ = ["contradiction"]


def contradiction(function: Callable[..., Any], count: int) -> str | None:
    """A phrase for what the function returns, if that can never be ``count`` values.

    Only what is certain from the source counts: a displayed tuple or list of another length, a
    number or text, nothing at all.
    """
    node = definition_of(function)
    if node is None:
        return None
    statements = list(returns_in(node))
    if not statements:
        raises = any(isinstance(child, ast.Raise) for child in ast.walk(node))
        return None if raises else "nothing"
    file = function.__code__.co_filename
    for statement in statements:
        number = _values(statement.value)
        if number is not None and number != count:
            returned = {0: "nothing", 1: "one value"}.get(number, f"{number} values")
            return f"{returned} ({file}:{statement.lineno})"
    return None


def _values(value: ast.expr | None) -> int | None:
    """How many values an expression surely is, 0 for None; None if that is not certain."""
    match value:
        case None | ast.Constant(value=None):
            return 0
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return None if any(isinstance(item, ast.Starred) for item in items) else len(items)
        case ast.Constant(value=int() | float() | bool()) | ast.JoinedStr():
            return 1
        case ast.Dict() | ast.Set() | ast.Constant():
            return None
    return None
