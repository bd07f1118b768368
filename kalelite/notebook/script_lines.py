"""Lines of cells as lines of a script."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterable

from kalelite.notebook.cell_code import MAGIC, CellCode
from kalelite.notebook.step_source import is_shown


def comment(lines: Iterable[str]) -> list[str]:
    """Comments of lines."""
    return [f"# {line}".rstrip() for line in lines]


def lines_of(
    code: CellCode,
    kept: Iterable[ast.stmt],
    rewrite: Callable[[str, ast.stmt], str] = lambda text, _: text,
) -> str:
    """The cell's lines, as far as they are of these statements.

    The last value is printed, magics are comments as they were written.
    """
    lines = code.text.splitlines()
    raw = code.cell.source.lstrip("\n").splitlines()
    own = set(map(id, kept))
    for statement in reversed(code.statements):
        first, last = first_line(statement) - 1, statement.end_lineno or statement.lineno
        if id(statement) not in own:
            magic = MAGIC in ast.unparse(statement)
            whole = raw if len(raw) != len(lines) else raw[first:last]
            lines[first:last] = comment(whole) if magic else []
        elif (value := is_shown(code, statement)) is not None:
            lines[first:last] = _printed(lines[first:last], value, statement)
        else:
            lines[first:last] = rewrite("\n".join(lines[first:last]), statement).splitlines()
    return "\n".join(lines)


def first_line(statement: ast.stmt) -> int:
    """Its first line, with decorators."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _printed(lines: list[str], value: ast.expr, statement: ast.stmt) -> list[str]:
    """The lines of an expression, inside of ``print()``."""
    found = [*lines]
    end = value.end_col_offset or 0
    encoded = found[-1].encode()
    found[-1] = f"{encoded[:end].decode()}){encoded[end:].decode()}"
    found[0] = f"{found[0][: statement.col_offset]}print({found[0][statement.col_offset :]}"
    return found


def indented(text: str) -> str:
    """The text set in, but for lines inside of texts over several lines."""
    inside: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text + "\n").readline):
        name = tokenize.tok_name[token.type]
        if name in {"STRING", "FSTRING_MIDDLE"}:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
    lines = text.splitlines()
    return "\n".join(
        line if number in inside or not line else f"    {line}"
        for number, line in enumerate(lines, 1)
    )
