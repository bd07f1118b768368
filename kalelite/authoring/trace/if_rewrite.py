"""Python's own ``if`` over an output, rewritten as the block that a pipeline needs."""

from __future__ import annotations

import ast
from operator import itemgetter
from typing import TYPE_CHECKING

from kalelite.errors import Where
from kalelite.frozen import frozen
from kalelite.source.locations import bytes_before, characters_before, tree_of

if TYPE_CHECKING:
    from kalelite.authoring.trace.tracing import UserPlace


@frozen
class Advice:
    """What was decided by an output (``"`if`"``), where, and what to write instead."""

    what: str
    hint: str
    where: Where


def condition(place: UserPlace, *, is_bool: bool) -> Advice:
    """What to write instead of the statement that asked for the truth of an output.

    ``is_bool``: the output is a condition by itself.
    """
    where = place.where
    marked: ast.expr | None = None
    what = "Python"
    hint = "Do it inside a step that takes the value; to run steps on a condition, write `with If(...):`."
    node = _statement(place)
    match node:
        case ast.If(test=marked):
            keyword = "Elif" if where.text.lstrip().startswith("elif") else "If"
            what = f"`{keyword.lower()}`"
            hint = f"Write `with {keyword}({_joined(marked)}):`{_bare(marked, is_bool=is_bool)}"
            if node.orelse and not isinstance(node.orelse[0], ast.If):
                hint += " and `with Else():` for the else"
            hint += "."
        case ast.IfExp(test=marked):
            what = "`… if … else …`"
            hint = (
                f"Write `with If({_joined(marked)}):` and `with Else():` blocks, and choose the value "
                "with OneOf(a, b); or decide inside a step."
            )
        case ast.While(test=marked):
            what, hint = "`while`", "Put the loop into a step."
        case ast.Assert(test=marked):
            what, hint = "`assert`", "Put the assertion into a step that takes the value."
        case ast.Compare(ops=[ast.In() | ast.NotIn()]) as marked:
            what = "`in`"
            hint = f"As a condition, write `{_joined(marked)}` inside `with If(...):`."
        case ast.BoolOp() | ast.UnaryOp() | ast.Compare() as marked:
            what = "`and`, `or`, `not` or a chain"
            hint = (
                f"As a condition, write `{_joined(marked)}` inside `with If(...):`; to compute with "
                "the values, use a step."
            )
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            what = "a comprehension's `if`"
            hint = "Filter inside a step that takes the values."
    return Advice(what, hint, where if marked is None else _at(where, marked))


def _statement(place: UserPlace) -> ast.AST | None:
    """The smallest syntax around the place that asks for a truth."""
    where = place.where
    tree = tree_of(where.file, place.frame.f_globals)
    if tree is None:
        return None
    ranks = ((_rank(node, where), node) for node in ast.walk(tree))
    found = [(rank, node) for rank, node in ranks if rank is not None]
    # Of equals the last is the innermost.
    return min(reversed(found), key=itemgetter(0), default=(0, None))[1]


def _rank(node: ast.AST, where: Where) -> int | None:
    """How well a node explains the place: statements before expressions, None if not at all."""
    match node:
        case (
            ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test) | ast.IfExp(test=test)
        ):
            return 0 if _covers(test, where) or _begins(node, where) else None
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            tests = [test for part in node.generators for test in part.ifs]
            found = any(_covers(test, where) for test in tests)
            return 1 if found or (tests and _begins(node, where)) else None
        case ast.BoolOp():
            rank = 2
        case ast.UnaryOp(op=ast.Not()) | ast.Compare(ops=[_, _, *_]):
            rank = 3
        case ast.Compare(
            ops=[ast.In() | ast.NotIn()],
            comparators=[ast.List(elts=[_, *_]) | ast.Tuple(elts=[_, *_]) | ast.Set(elts=[_, *_])],
        ):
            rank = 3
        case _:
            return None
    return rank if _covers(node, where) else None


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


def _begins(node: ast.stmt | ast.expr, where: Where) -> bool:
    """Whether the node begins at the place."""
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
            sides = zip([left, *right], ops, right, strict=False)
            pairs = (ast.Compare(one, [op], [other]) for one, op, other in sides)
            return " & ".join(f"({ast.unparse(pair)})" for pair in pairs)
    return ast.unparse(node)


def _bracketed(node: ast.expr) -> str:
    text = _joined(node)
    plain = isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute | ast.UnaryOp)
    return text if plain else f"({text})"


def _bare(test: ast.expr, *, is_bool: bool) -> str:
    """A word on a test that is no comparison."""
    if isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp) or is_bool:
        return ""
    return f" if it is a bool, or compare it, as in `with If({ast.unparse(test)} > 0):`"
