"""Lines of cells as lines of a script."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable

from kalelite.notebook.cell_code import CellCode, magic_of
from kalelite.notebook.step_source import is_shown


def comment(lines: Iterable[str]) -> list[str]:
    """Comments of lines."""
    return [f"# {line}".rstrip() for line in lines]


def lines_of(code: CellCode) -> str:
    """The cell's lines: magics commented as they were written, the last value printed."""
    body = [(code, statement) for statement in ast.parse(code.text).body]
    lines = code.text.splitlines()
    raw = code.cell.source.lstrip("\n").splitlines()
    for _, statement in reversed(body):
        first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
        if magic_of(statement) is not None or "get_ipython()" in ast.unparse(statement):
            whole = raw if len(raw) != len(lines) else raw[first:last]
            lines[first:last] = comment(whole)
        elif (value := is_shown(body, statement)) is not None:
            lines[first:last] = printed(lines[first:last], value, statement)
    return "\n".join(lines)


def printed(lines: list[str], value: ast.expr, statement: ast.stmt) -> list[str]:
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
