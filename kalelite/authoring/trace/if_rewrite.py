"""Python's own ``if`` over an output, rewritten as the block that a pipeline needs."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalelite.errors import Where
from kalelite.source.locations import bytes_before, characters_before, tree_of

if TYPE_CHECKING:
    from kalelite.authoring.trace.refs import Ref
    from kalelite.authoring.trace.tracing import UserPlace

__all__ = ["Advice", "condition", "without_is"]


@dataclass(frozen=True, slots=True)
class Advice:
    """What was decided by an output (``"`if`"``), where, and what to write instead."""

    what: str
    hint: str
    where: Where


def condition(place: UserPlace, ref: Ref) -> Advice:  # noqa: PLR0911 - one for each kind of syntax
    """What to write instead of the statement that asked for the truth of ``ref``."""
    where = place.where
    node = _statement(place)
    match node:
        case ast.If(test=test):
            keyword = "Elif" if where.text.lstrip().startswith("elif") else "If"
            hint = f"Write `with {keyword}({_joined(test)}):`{_bare(test, ref)}"
            if node.orelse and not isinstance(node.orelse[0], ast.If):
                hint += " and `with Else():` for the else"
            return Advice(f"`{keyword.lower()}`", f"{hint}.", _at(where, test))
        case ast.IfExp(test=test):
            hint = (
                f"Write `with If({_joined(test)}):` and `with Else():` blocks, and choose the value "
                "with OneOf(a, b); or decide inside a step."
            )
            return Advice("`… if … else …`", hint, _at(where, test))
        case ast.While(test=test):
            return Advice("`while`", "Put the loop into a step.", _at(where, test))
        case ast.Assert(test=test):
            hint = "Put the assertion into a step that takes the value."
            return Advice("`assert`", hint, _at(where, test))
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            hint = f"As a condition, write `{_joined(node)}` inside `with If(...):`."
            return Advice("`in`", hint, _at(where, node))
        case ast.BoolOp() | ast.UnaryOp() | ast.Compare():
            hint = (
                f"As a condition, write `{_joined(node)}` inside `with If(...):`; to compute with "
                "the values, use a step."
            )
            return Advice("`and`, `or`, `not` or a chain", hint, _at(where, node))
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            hint = "Filter inside a step that takes the values."
            return Advice("a comprehension's `if`", hint, where)
    hint = "Do it inside a step that takes the value; to run steps on a condition, write `with If(...):`."
    return Advice("Python", hint, where)


def _statement(place: UserPlace) -> ast.AST | None:
    """The smallest syntax around the place that asks for a truth."""
    where = place.where
    tree = tree_of(where.file, place.frame.f_globals)
    if tree is None:
        return None
    best: tuple[int, ast.AST] | None = None
    for node in ast.walk(tree):
        rank = _rank(node, where)
        if rank is not None and (best is None or rank <= best[0]):
            best = (rank, node)
    return best[1] if best is not None else None


def _rank(node: ast.AST, where: Where) -> int | None:
    """How well a node explains the place: statements before expressions, None if not at all."""
    if isinstance(node, ast.If | ast.While | ast.Assert | ast.IfExp):
        return 0 if _covers(node.test, where) or _is(node, where) else None
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        tests = [test for part in node.generators for test in part.ifs]
        found = any(_covers(test, where) for test in tests) or (tests and _is(node, where))
        return 1 if found else None
    if isinstance(node, ast.BoolOp):
        return 2 if _covers(node, where) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return 3 if _covers(node, where) else None
    if isinstance(node, ast.Compare) and (len(node.ops) > 1 or _looks_into(node)):
        return 3 if _covers(node, where) else None
    return None


def _looks_into(node: ast.Compare) -> bool:
    """Whether it is ``value in [1, 2]``, over values that stand there."""
    displays = ast.List | ast.Tuple | ast.Set
    return (
        isinstance(node.ops[0], ast.In | ast.NotIn)
        and isinstance(node.comparators[0], displays)
        and bool(node.comparators[0].elts)
    )


def without_is(source: str) -> str:
    """The condition with ``==`` for each ``is`` in it; empty if there is none."""
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError):
        return ""
    found = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for number, op in enumerate(node.ops):
                if isinstance(op, ast.Is | ast.IsNot):
                    node.ops[number] = ast.Eq() if isinstance(op, ast.Is) else ast.NotEq()
                    found = True
    return ast.unparse(tree) if found else ""


def _is(node: ast.stmt | ast.expr, where: Where) -> bool:
    """Whether the place is the whole node."""
    if node.lineno != where.line or where.column is None:
        return False
    return node.col_offset == bytes_before(where.text, where.column)


def _covers(node: ast.expr, where: Where) -> bool:
    last = node.end_lineno or node.lineno
    if not node.lineno <= where.line <= last:
        return False
    if where.column is None or node.lineno != last:
        return True
    column = bytes_before(where.text, where.column)
    return node.col_offset <= column <= (node.end_col_offset or column)


def _at(where: Where, node: ast.expr) -> Where:
    """The place of a whole test, if it is in one line."""
    if node.lineno != where.line or node.end_lineno != where.line or node.end_col_offset is None:
        return where
    start = characters_before(where.text, node.col_offset)
    end = characters_before(where.text, node.end_col_offset)
    return Where(where.file, where.line, start, end, where.text)


def _joined(node: ast.expr) -> str:
    """The test with ``and or not`` and chains spelled as ``& | ~`` and pairs."""
    match node:
        case ast.BoolOp(op=op, values=values):
            symbol = " & " if isinstance(op, ast.And) else " | "
            return symbol.join(_bracketed(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"~{_bracketed(operand)}"
        case ast.Compare(
            left=left,
            ops=[ast.In() | ast.NotIn() as op],
            comparators=[ast.List() | ast.Tuple() | ast.Set() as choices],
        ) if choices.elts:
            each, symbol = (ast.Eq(), " | ") if isinstance(op, ast.In) else (ast.NotEq(), " & ")
            tests = [ast.Compare(left, [each], [item]) for item in choices.elts]
            return symbol.join(f"({ast.unparse(test)})" for test in tests)
        case ast.Compare(left=left, ops=ops, comparators=right) if len(ops) > 1:
            sides = [left, *right]
            pairs = [
                ast.unparse(ast.Compare(sides[number], [op], [sides[number + 1]]))
                for number, op in enumerate(ops)
            ]
            return " & ".join(f"({pair})" for pair in pairs)
    return ast.unparse(node)


def _bracketed(node: ast.expr) -> str:
    text = _joined(node)
    plain = isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute | ast.UnaryOp)
    return text if plain else f"({text})"


def _bare(test: ast.expr, ref: Ref) -> str:
    """A word on a test that is no comparison."""
    if isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp) or ref._k_is_bool():
        return ""
    return f" if it is a bool, or compare it, as in `with If({ast.unparse(test)} > 0):`"
