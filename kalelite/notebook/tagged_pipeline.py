"""A tagged notebook as a pipeline: step functions made of its cells, with the cells' own places."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Iterable
from typing import Any

import kalelite
from kalelite.errors import Problem, Where
from kalelite.notebook.cell_code import CellCode, cell_code
from kalelite.notebook.ipynb import file_of
from kalelite.notebook.shell import keep_source
from kalelite.notebook.step_flow import Flow, StepFlow
from kalelite.notebook.step_source import (
    StepCall,
    UnitCall,
    calls_of,
    defaults_of,
    is_shown,
    metrics_of,
    pipeline_function,
    unit_options,
    with_units,
)


def define_pipeline(flow: Flow, space: dict[str, Any], *, run_shell: bool) -> None:
    """Define the steps and the pipeline of a notebook, which has no problems, in a namespace."""
    calls = calls_of(flow)
    for call in calls:
        space[call.function] = _step(call, space, run_shell=run_shell)
    rows = with_units(flow, calls)
    for row in rows:
        if isinstance(row, UnitCall):
            space[row.function] = _unit(flow, row, space)
    name = pipeline_function(flow, rows)
    made = kalelite.pipeline(**flow.tagged.options)(_pipeline(flow, rows, name, space))
    made.problems = _placed(made.problems, made.where)
    space[name] = made


def _step(call: StepCall, space: dict[str, Any], *, run_shell: bool) -> Any:
    step = call.step
    codes = list(dict.fromkeys(code for code, _ in [*step.helpers, *step.body])) or step.codes
    file, starts = _source(codes)
    body: list[ast.stmt] = []
    shell = (
        [(code, line, words) for code in codes for line, words in code.shell] if run_shell else []
    )
    for code, statement in [*step.helpers, *step.body]:
        while shell and (codes.index(shell[0][0]), shell[0][1]) < (
            codes.index(code),
            statement.lineno,
        ):
            body.append(_shell_line(*shell.pop(0), starts))
        value = is_shown(code, statement)
        made: ast.stmt = statement
        if value is not None:
            made = ast.copy_location(ast.Expr(_call("print", value)), statement)
        made = _Inside(step).visit(copy.deepcopy(made))
        body.append(ast.increment_lineno(ast.fix_missing_locations(made), starts[code] - 1))
    body += [_shell_line(*entry, starts) for entry in shell]
    at = body[-1] if body else ast.Pass(lineno=1, col_offset=0)
    if list(metrics_of(step)):
        space.setdefault("log_metric", kalelite.log_metric)
    for name in metrics_of(step):
        body.append(at_place(ast.Expr(_call("log_metric", ast.Constant(name), _load(name))), at))
    if step.outputs:
        values: list[ast.expr] = [_load(name) for name in step.outputs]
        result = values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())
        body.append(at_place(ast.Return(result), at))
    function = define_function(file, call.function, _arguments(call), body or [ast.Pass()], space)
    made_step = kalelite.step(name=call.name, **step.tag.options)(function)
    where = step.codes[0].where(1)
    made_step.definition = dataclasses.replace(made_step.definition, where=where)
    made_step.problems = _placed(made_step.problems, where)
    return made_step


def _source(codes: Iterable[CellCode]) -> tuple[str, dict[CellCode, int]]:
    """The cells as one source: its name, and the line at which each of them begins."""
    starts: dict[CellCode, int] = {}
    text = ""
    for code in codes:
        starts[code] = text.count("\n") + 1
        text += code.text if code.text.endswith("\n") else f"{code.text}\n"
    file = file_of(*((code.cell, line) for code, line in starts.items()))
    keep_source(file, text)
    return file, starts


class _Inside(ast.NodeTransformer):
    """What is global in a notebook is local in a step."""

    def __init__(self, step: StepFlow) -> None:
        self._own = {*step.names.binds, *step.inputs} - {*step.globals}
        self._own |= set(defaults_of(step))
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Functions in a step reach its names by nonlocal."""
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST | list[ast.AST]:
        """``global`` of the notebook."""
        own = [name for name in node.names if name in self._own]
        rest = [name for name in node.names if name not in self._own]
        made: list[ast.AST] = [ast.copy_location(ast.Global(rest), node)] if rest else []
        if own and self._depth:
            made.append(ast.copy_location(ast.Nonlocal(own), node))
        return made or ast.copy_location(ast.Pass(), node)


def _arguments(call: StepCall) -> ast.arguments:
    plain = [ast.arg(name) for name, _ in call.arguments]
    defaults = defaults_of(call.step)
    return ast.arguments(
        posonlyargs=[],
        args=[*plain, *(ast.arg(name) for name in defaults)],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[_load(name) for name in defaults],
    )


def define_function(
    file: str, name: str, arguments: ast.arguments, body: list[ast.stmt], space: dict[str, Any]
) -> Any:
    """Define a function of a cell's statements, with their places, in a namespace."""
    first = min((node.lineno for node in body if hasattr(node, "lineno")), default=1)
    function = ast.FunctionDef(name, arguments, body, [])
    for part in ast.walk(function):
        if isinstance(part, ast.arg | ast.expr | ast.stmt) and not hasattr(part, "lineno"):
            part.lineno = part.end_lineno = first
            part.col_offset = part.end_col_offset = 0
    module = ast.Module([function], [])
    exec(compile(module, file, "exec", dont_inherit=True), space)
    return space[name]


def _unit(flow: Flow, unit: UnitCall, space: dict[str, Any]) -> Any:
    function = _pipeline(flow, unit.calls, unit.function, space, unit)
    return kalelite.pipeline(name=unit.unit, **unit_options(flow, unit.unit))(function)


def _pipeline(
    flow: Flow,
    rows: Iterable[StepCall | UnitCall],
    name: str,
    space: dict[str, Any],
    unit: UnitCall | None = None,
) -> Any:
    cells = {cell.reference: cell for cell in flow.tagged.notebook.cells if cell.reference}
    codes = {
        row: cell_code(cells[row.unit]) if isinstance(row, UnitCall) else row.step.codes[0]
        for row in rows
    }
    file, starts = _source(codes.values())
    body: list[ast.stmt] = []
    for row, code in codes.items():
        body.append(_at_line(row.text(), starts[code]))
    if unit and unit.targets:
        body.append(_at_line(f"return {', '.join(unit.targets)}", body[-1].lineno))
    signature = flow.signatures[unit.unit if unit else ""]
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in [*(unit.arguments if unit else ()), *signature]],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[ast.parse(repr(value), mode="eval").body for value in signature.values()],
    )
    return define_function(file, name, arguments, body, space)


def _at_line(text: str, line: int) -> ast.stmt:
    statement = ast.parse(text).body[0]
    for node in ast.walk(statement):
        if isinstance(node, ast.expr | ast.stmt | ast.keyword):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    return statement


def _placed(problems: Iterable[Problem], where: Where | None) -> tuple[Problem, ...]:
    """The problems of options, at the cell that has them."""
    return tuple(dataclasses.replace(problem, where=where) for problem in problems)


def _shell_line(code: CellCode, line: int, words: str, starts: dict[CellCode, int]) -> ast.stmt:
    text = f"__import__('subprocess').run({words!r}, shell=True, check=True)"
    return ast.increment_lineno(ast.parse(text).body[0], starts[code] + line - 2)


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_load(name), list(arguments), [])


def at_place(statement: ast.stmt, place: ast.stmt) -> ast.stmt:
    """A made statement, at the place of another."""
    for node in ast.walk(statement):
        ast.copy_location(node, place)
    return statement
