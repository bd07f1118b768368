"""A notebook without tags as a script: its cells one after the other."""

from __future__ import annotations

import ast
from pathlib import Path

from kalelite.notebook.cell_code import MAGIC, as_python, cell_code, refuse_awaits
from kalelite.notebook.cell_step import CellStep, read_cell_step
from kalelite.notebook.free_names import BUILTINS, bound_by
from kalelite.notebook.ipynb import NotebookFile, file_of
from kalelite.notebook.notebook_top import star_names
from kalelite.notebook.script_lines import comment, indented, lines_of
from kalelite.notebook.statement_names import names_of
from kalelite.notebook.tags import headings


def joined_script(notebook: NotebookFile) -> str:
    """Magics are comments, last values are printed, a cell under ``%%step`` is a function.

    Raises `ScriptError`, `UsageError`, `PipelineError`: a cell is not Python, or no step, or awaits.
    """
    known, folder = set(BUILTINS), Path(notebook.path).parent
    cells = [cell for cell in notebook.cells if cell.kind == "markdown" or cell.number]
    parts: list[str] = []
    has_steps = False
    for cell in cells:
        if not cell.number:
            parts.append("\n".join(comment(headings(cell))))
        elif cell.source.startswith("%%step"):
            file = file_of((cell, 1))
            step = read_cell_step(cell.source, file, as_python, known.__contains__)
            known.add(step.asked.name)
            parts.append(_function(step))
            has_steps = True
        else:
            code = cell_code(cell)
            refuse_awaits(code)
            for statement in code.statements:
                known = known - names_of([statement]).binds.keys() | _code_in(statement, folder)
            parts.append(
                lines_of(code, [s for s in code.statements if MAGIC not in ast.unparse(s)])
            )
    if has_steps and "step" not in known:
        first = next(index for index, cell in enumerate(cells) if cell.number)
        parts.insert(first, "from kalelite import step")
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _code_in(statement: ast.stmt, folder: Path) -> set[str]:
    """The functions, classes and modules that a statement binds, which steps reach as globals."""
    bound = {name for node in ast.walk(statement) for name in bound_by(node)}
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            bound |= star_names(node, folder)
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda()):
            bound.add(name)
    return bound


def _function(step: CellStep) -> str:
    options = ", ".join(f"{name}={text}" for name, text in step.asked.options.items())
    lines = step.text.splitlines()[1:]
    if step.outputs:
        lines.append(f"return {', '.join(step.outputs)}")
    head = f"@step({options})" if options else "@step"
    signature = f"def {step.asked.name}({', '.join(step.inputs)}):"
    return "\n".join([head, signature, indented("\n".join(lines))])
