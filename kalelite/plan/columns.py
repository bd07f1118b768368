"""Columns of an instruction on CPython 3.10, whose code objects keep lines only.

The k-th instruction of a kind in a line comes from the k-th expression of that kind in the
line's syntax tree, in the order in which Python evaluates them: inner before outer.
"""

from __future__ import annotations

import ast
import dis
import weakref
from types import CodeType
from typing import Any

__all__ = ["span"]

_KINDS: tuple[tuple[tuple[str, ...], tuple[type[ast.AST], ...]], ...] = (
    (("CALL_",), (ast.Call,)),
    (("BINARY_SUBSCR",), (ast.Subscript,)),
    (("BINARY_", "INPLACE_"), (ast.BinOp, ast.AugAssign)),
    (("COMPARE_OP", "CONTAINS_OP", "IS_OP"), (ast.Compare,)),
    (("UNARY_",), (ast.UnaryOp,)),
    (("LOAD_ATTR", "LOAD_METHOD"), (ast.Attribute,)),
    (("FORMAT_VALUE",), (ast.FormattedValue,)),
    (("GET_ITER",), (ast.For, ast.comprehension)),
    (("UNPACK_",), (ast.Assign,)),
)

_offsets: dict[int, tuple[weakref.ref[CodeType], dict[tuple[int, int], list[int]]]] = {}
_nodes: dict[int, tuple[ast.Module, dict[int, list[ast.AST]]]] = {}


def span(
    code: CodeType, offset: int, line: int, tree: ast.Module | None
) -> tuple[int, int, int, int] | None:
    """First line, last line, first column and end column of an instruction, in bytes.

    None if the tree does not tell the expressions of the line apart.
    """
    kind = _kind(dis.opname[code.co_code[offset]])
    if kind is None or tree is None:
        return None
    offsets = _offsets_of(code).get((line, kind), [])
    nodes = [node for node in _nodes_of(tree).get(line, []) if isinstance(node, _KINDS[kind][1])]
    if offset not in offsets or not nodes or len(nodes) not in {1, len(offsets)}:
        return None
    node = _operand(nodes[offsets.index(offset)] if len(nodes) > 1 else nodes[0])
    if node.lineno != line:
        return None
    return line, node.end_lineno or line, node.col_offset, node.end_col_offset


def _kind(opname: str) -> int | None:
    for number, (opnames, _) in enumerate(_KINDS):
        if opname.startswith(opnames):
            return number
    return None


def _offsets_of(code: CodeType) -> dict[tuple[int, int], list[int]]:
    """Offsets of the instructions of each line and kind."""
    known = _offsets.get(id(code))
    if known is not None:
        return known[1]
    result: dict[tuple[int, int], list[int]] = {}
    lines = dict(dis.findlinestarts(code))
    kinds = {number: _kind(name) for number, name in enumerate(dis.opname)}
    line = code.co_firstlineno
    for position in range(0, len(code.co_code), 2):
        line = lines.get(position, line)
        kind = kinds[code.co_code[position]]
        if kind is not None:
            result.setdefault((line, kind), []).append(position)
    key = id(code)
    _offsets[key] = (weakref.ref(code, lambda _: _offsets.pop(key, None)), result)
    return result


def _nodes_of(tree: ast.Module) -> dict[int, list[ast.AST]]:
    """Nodes by the line that they start in, inner ones first."""
    known = _nodes.get(id(tree))
    if known is not None:
        return known[1]
    result: dict[int, list[ast.AST]] = {}
    order: list[ast.AST] = []
    stack: list[ast.AST] = [tree]
    while stack:  # the reverse of a walk that takes a node before its children, last child first
        node = stack.pop()
        order.append(node)
        stack.extend(ast.iter_child_nodes(node))
    for node in reversed(order):
        line = getattr(_operand(node), "lineno", None)
        if line is not None:
            result.setdefault(line, []).append(node)
    _nodes[id(tree)] = (tree, result)
    return result


def _operand(node: ast.AST) -> Any:
    """The expression to mark: of a loop what it runs over, of an assignment its value."""
    if isinstance(node, ast.For | ast.comprehension):
        return node.iter
    if isinstance(node, ast.Assign):
        return node.value
    return node
