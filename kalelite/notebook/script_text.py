"""A notebook as the script that a person would have written."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

from kalelite.errors import PipelineError
from kalelite.notebook.cell_code import as_python
from kalelite.notebook.data_flow import flow_of
from kalelite.notebook.ipynb import NotebookFile
from kalelite.notebook.joined_script import joined_script
from kalelite.notebook.tagged_script import tagged_script
from kalelite.notebook.tags import is_tagged, read_tags


def script_of(notebook: NotebookFile) -> tuple[str, list[str]]:
    """The script of a notebook, and what the user should know of it.

    Raises `ScriptError`: a cell is not Python; `PipelineError`: the tags are wrong.
    """
    notebook = _prepared(notebook)
    if is_tagged(notebook):
        flow = flow_of(read_tags(notebook, _prepared))
        if flow.problems:
            raise PipelineError(*flow.problems)
        text, notes = tagged_script(flow), flow.notes
    else:
        text, notes = joined_script(notebook), []
    formatted = _formatted(text)
    if formatted is None:
        notes = [*notes, "The script is not formatted: pip install ruff does that."]
    return formatted or text, notes


def _prepared(notebook: NotebookFile) -> NotebookFile:
    cells = (replace(cell, source=_one_a_line(cell.source)) for cell in notebook.cells)
    return replace(notebook, cells=tuple(cells))


def _one_a_line(source: str) -> str:
    """The source of a cell, with statements that share a line on lines of their own."""
    text, lines = as_python(source), source.lstrip("\n").splitlines()
    if len(lines) != len(text.splitlines()):  # the magic of a whole cell
        return source
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return source
    for statement in reversed(body):
        if statement.col_offset:
            line = lines[statement.lineno - 1].encode()
            left, right = line[: statement.col_offset], line[statement.col_offset :]
            lines[statement.lineno - 1] = f"{left.decode().rstrip(' ;')}\n{right.decode()}"
    return "\n".join(lines)


def _formatted(text: str) -> str | None:
    """The text as ruff and black format it; None without ruff."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "88", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return _after_imports(done.stdout) if done.returncode == 0 else None


def _after_imports(text: str) -> str:
    """The text with one empty line below imports, as black wants it, and ruff does not mind."""
    lines = text.splitlines()
    blocks = [getattr(node, "body", []) for node in ast.walk(ast.parse(text))]
    pairs = [pair for block in blocks if isinstance(block, list) for pair in pairwise(block)]
    imports = (ast.Import, ast.ImportFrom)
    for statement, below in sorted(pairs, key=lambda pair: -pair[0].lineno):
        if isinstance(statement, imports) and not isinstance(below, imports):
            last = statement.end_lineno or statement.lineno
            empty = next(n for n, line in enumerate(lines[last:]) if line.strip())
            is_comment = lines[last + empty].lstrip().startswith("#")
            if empty < 1 or (empty > 1 and not is_comment and not hasattr(below, "body")):
                lines[last : last + empty] = [""]
    return "\n".join(lines) + "\n"
