"""A tagged notebook that is run: its top by IPython, its steps as a pipeline."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from kalelite.errors import PipelineError
from kalelite.notebook.cell_code import CellCode
from kalelite.notebook.data_flow import flow_of
from kalelite.notebook.ipynb import Cell
from kalelite.notebook.shell import CellShell, keep_source, run_cell
from kalelite.notebook.step_flow import Flow
from kalelite.notebook.tagged_pipeline import define_pipeline
from kalelite.notebook.tags import Tagged


def run_tagged(tagged: Tagged, shell: CellShell, note: Callable[[str], None]) -> None:
    """Run the cells of the top, and what belongs there of the steps; define the pipeline.

    Raises `PipelineError`: with all that is wrong with it; `ScriptError`: a cell is not Python.
    """
    flow = flow_of(tagged)
    if flow.problems:
        raise PipelineError(*flow.problems)
    for line in flow.notes:
        note(line)
    if not shell.run_shell:
        for code in dict.fromkeys(code for step in flow.steps for code in step.codes):
            for number, words in code.shell:
                place = code.where(number)
                note(f"{place}: not run: !{words} (--run-shell runs such lines)")
    space: dict[str, Any] = shell.user_ns
    for cell in tagged.cells:
        if cell in tagged.top:
            run_cell(shell, cell)
        else:
            _run_top_of(flow, cell, space)
    define_pipeline(flow, space, run_shell=shell.run_shell)


def _run_top_of(flow: Flow, cell: Cell, space: dict[str, Any]) -> None:
    """Run what a step's cell has for the top: imports, definitions, magics that set up."""
    codes = [code for step in flow.steps for code in step.codes if code.cell == cell]
    for code in codes:
        hoisted = [statement for other, statement in flow.hoisted if other is code]
        statements = sorted([*code.setup, *hoisted], key=lambda statement: statement.lineno)
        if statements:
            _run(code, statements, space)


def _run(code: CellCode, statements: list[ast.stmt], space: dict[str, Any]) -> None:
    keep_source(code.file, code.text)
    tree = ast.Module(statements, [])
    exec(compile(tree, code.file, "exec", dont_inherit=True), space)
