"""The Python of a cell of a step, with its magics."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Final

from IPython.core.inputtransformer2 import TransformerManager

from kalelite.errors import PipelineError, Problem, ScriptError, Where
from kalelite.notebook.ipynb import Cell, file_of
from kalelite.source.locations import of_syntax_error

_SETTING_UP = frozenset(
    {"matplotlib", "load_ext", "reload_ext", "autoreload", "config", "writefile"}
)
"""Magics that run before the steps, as they set up what follows."""
_TIMING = frozenset({"time", "timeit", "capture", "prun"})
_TIMED_LINE = re.compile(r"^([ \t]*)%time[ \t]+(?=\S)", re.MULTILINE)
_SHELL = frozenset({"pip", "conda", "mamba", "uv", "sx", "system", "bash", "sh", "script"})
_LOOKING = frozenset({"pinfo", "pinfo2", "who", "whos", "ls", "pwd", "lsmagic", "timeit"})
MAGIC: Final = "get_ipython"
_AWAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


@dataclass(frozen=True, eq=False)
class CellCode:
    """A cell as Python.

    ``statements`` are all, ``setup`` those that have to run before the steps, ``body`` what is
    left of them without magics; ``shell`` are the shell lines.
    """

    cell: Cell
    file: str
    text: str
    statements: list[ast.stmt]
    setup: list[ast.stmt] = field(default_factory=list)
    body: list[ast.stmt] = field(default_factory=list)
    shell: list[tuple[int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def where(self, line: int) -> Where:
        """A line of the cell."""
        lines = self.text.splitlines()
        return Where(self.file, line, text=lines[line - 1] if 0 < line <= len(lines) else "")

    @property
    def is_quiet(self) -> bool:
        """Whether a semicolon says that the last value is not shown."""
        return self.text.rstrip().endswith(";")


def as_python(source: str) -> str:
    """The Python that IPython makes of a cell with magics."""
    return TransformerManager().transform_cell(source)


def cell_code(cell: Cell) -> CellCode:
    """Read a cell.

    Raises `ScriptError`: it is not Python.
    """
    source = cell.source
    head, _, _ = source.partition("\n")
    if head.startswith("%%") and head[2:].partition(" ")[0] in _TIMING:
        source = f"# {source}"
    text = as_python(_TIMED_LINE.sub(r"\1", source))
    file = file_of((cell, 1))
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        where = of_syntax_error(error, file, text)
        raise ScriptError(f"{type(error).__name__}: {error.msg}", where=where) from error
    code = CellCode(cell, file, text, tree.body)
    for statement in tree.body:
        _sort(code, statement)
    return code


def _sort(code: CellCode, statement: ast.stmt) -> None:
    call = magic_of(statement)
    if call is None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == MAGIC:
                hint = "Write it as Python: in a step there is no IPython."
                problem = Problem(
                    "a magic cannot be in a statement of a step", hint, code.where(node.lineno)
                )
                code.problems.append(problem)
                break
        code.problems.extend(_awaits(code, statement))
        code.body.append(statement)
        return
    kind, name, words = call
    if name in _SETTING_UP:
        code.setup.append(statement)
    elif kind == "shell" or name in _SHELL:
        code.shell.append((statement.lineno, words if kind == "shell" else f"{name} {words}"))
    elif name not in _LOOKING:
        hint = "Write it as Python: in a step there is no IPython."
        code.problems.append(
            Problem(f"the magic %{name} cannot run in a step", hint, code.where(statement.lineno))
        )


def refuse_awaits(code: CellCode) -> None:
    """Raise `PipelineError` if a cell awaits outside of functions, as no script may."""
    problems = [found for statement in code.statements for found in _awaits(code, statement)]
    if problems:
        raise PipelineError(*problems)


def _awaits(code: CellCode, statement: ast.stmt) -> list[Problem]:
    for node in ast.walk(statement):
        if isinstance(node, _AWAITS) and not _inside_function(statement, node):
            hint = "Write asyncio.run(...) around it."
            message = "only a notebook can await outside of a function"
            return [Problem(message, hint, code.where(node.lineno))]
    return []


def _inside_function(statement: ast.stmt, node: ast.AST) -> bool:
    return any(
        isinstance(outer, ast.AsyncFunctionDef) and any(inner is node for inner in ast.walk(outer))
        for outer in ast.walk(statement)
    )


def magic_of(statement: ast.stmt) -> tuple[str, str, str] | None:
    """Kind (line, cell or shell), name and words of a statement that is a magic."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method),
                args=[*arguments],
            )
        ):
            words = [str(a.value) for a in arguments if isinstance(a, ast.Constant)]
            if method == "run_line_magic":
                return "line", words[0], words[1]
            if method == "run_cell_magic":
                return "cell", words[0], words[1]
            return "shell", "", words[0] if words else ""
    return None
