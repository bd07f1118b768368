"""How many values a function can return, as far as its ``return`` statements tell."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from kalelite.source.locations import of_function, tree_of

__all__ = ["contradiction"]


def contradiction(function: Callable[..., Any], count: int) -> str | None:
    """What the function returns, in words, if that can never be ``count`` values.

    Only what the source says for certain counts: a displayed tuple or list of another length, a
    number or text, nothing at all.
    """
    node = _definition(function)
    if node is None:
        return None
    statements = list(_returns(node.body))
    if not statements:
        raises = any(isinstance(child, ast.Raise) for child in ast.walk(node))
        return None if raises else "nothing"
    file = function.__code__.co_filename
    for statement in statements:
        said = _values(statement.value)
        if said is not None and said != count:
            words = {0: "nothing", 1: "one value"}.get(said, f"{said} values")
            return f"{words} ({file}:{statement.lineno})"
    return None


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    where = of_function(function)
    code = getattr(function, "__code__", None)
    if where is None or code is None:
        return None
    tree = tree_of(code.co_filename, getattr(function, "__globals__", None))
    if tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.lineno == where.line:
            return node if node.name == code.co_name else None
    return None


def _returns(body: list[ast.stmt]) -> Iterator[ast.Return]:
    """Return statements of a function, without those of functions inside it."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        ):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _values(value: ast.expr | None) -> int | None:
    """How many values an expression surely is, 0 for None; None if it does not tell."""
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
