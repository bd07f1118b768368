"""A tagged notebook as the script that a person would have written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from kalelite.notebook.cell_code import CellCode
from kalelite.notebook.script_lines import comment, first_line, indented, lines_of
from kalelite.notebook.statement_names import names_of
from kalelite.notebook.step_flow import Flow, StepFlow
from kalelite.notebook.step_source import (
    StepCall,
    UnitCall,
    calls_of,
    defaults_of,
    metrics_of,
    pipeline_function,
    unit_options,
    with_units,
)
from kalelite.notebook.tags import headings


def tagged_script(flow: Flow) -> str:
    """The script of a notebook that has no problems."""
    return _Script(flow).text()


class _Script:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._calls = calls_of(flow)
        self._rows = with_units(flow, self._calls)

    def text(self) -> str:
        """The whole script."""
        parts = [*self._intro(), self._imports(), self._top()]
        parts += [self._step(call) for call in self._calls]
        parts += [self._unit(row) for row in self._rows if isinstance(row, UnitCall)]
        parts.append(self._pipeline())
        name = pipeline_function(self._flow, self._rows)
        parts.append(f'if __name__ == "__main__":\n    {name}()')
        return "\n\n\n".join(part for part in parts if part.strip()) + "\n"

    def _intro(self) -> Iterator[str]:
        description = str(self._flow.tagged.options.get("description", "")).strip()
        yield _docstring(description or f"The pipeline {self._flow.tagged.options['name']}.")

    def _imports(self) -> str:
        flow = self._flow
        items = [
            i for i in [*flow.top, *flow.hoisted] if isinstance(i[1], ast.Import | ast.ImportFrom)
        ]
        lines = list(dict.fromkeys(ast.unparse(statement) for _, statement in items))
        names = ["log_metric"] if any(list(metrics_of(step)) for step in flow.steps) else []
        return "\n".join(
            [*lines, f"from kalelite import {', '.join([*names, 'pipeline', 'step'])}"]
        )

    def _top(self) -> str:
        """What stands at the top besides imports, with the parameters that it reads."""
        flow = self._flow
        kept = [
            item
            for item in [*flow.top, *flow.hoisted]
            if not isinstance(item[1], ast.Import | ast.ImportFrom)
            and getattr(item[1], "name", "") not in flow.copied
        ]
        read = {name for _, s in kept for name in names_of([s]).reads}
        lines = [f"{n} = {v!r}" for n, v in flow.parameters.items() if n in read]
        texts = [_segment(code, statement) for code, statement in kept]
        return "\n".join([*lines, *texts])

    def _step(self, call: StepCall) -> str:
        step = call.step
        options = {"name": call.name} if call.name != call.function else {}
        options |= step.tag.options
        inside = ", ".join(f"{name}={value!r}" for name, value in options.items())
        arguments = [name for name, _ in call.arguments]
        arguments += [f"{name}={name}" for name in defaults_of(step)]
        lines = self._headings(step)
        lines += [
            f"@step({inside})" if inside else "@step",
            f"def {call.function}({', '.join(arguments)}):",
        ]
        body = self._body(step)
        body += [f"log_metric({name!r}, {name})" for name in metrics_of(step)]
        if step.outputs:
            body.append(f"return {', '.join(step.outputs)}")
        text = indented("\n".join(body) if any(_is_code(line) for line in body) else "pass")
        return "\n".join([*lines, text])

    def _headings(self, step: StepFlow) -> list[str]:
        """The headings above the first cell of a step."""
        found: list[str] = []
        cells = step.tag.notebook.cells
        index = step.codes[0].cell.index - 1
        while index >= 0 and cells[index].kind == "markdown":
            found = [*headings(cells[index]), *found]
            index -= 1
        return comment(found)

    def _body(self, step: StepFlow) -> list[str]:
        def local(text: str, statement: ast.stmt) -> str:
            return _as_local(text, statement, step)

        own = [statement for _, statement in step.body]
        texts = [local(_segment(code, statement), statement) for code, statement in step.helpers]
        texts += [lines_of(code, own, local).strip("\n") for code in step.codes]
        return [text for text in texts if text.strip()]

    def _pipeline(self) -> str:
        flow = self._flow
        name = pipeline_function(flow, self._rows)
        options = {k: v for k, v in flow.tagged.options.items() if (k, v) != ("name", name)}
        description = str(options.pop("description", "")).strip()
        lines = [_docstring(description)] if description else []
        parameters = [_parameter(n, value) for n, value in flow.signatures[""].items()]
        return _defined(name, options, parameters, [*lines, *(row.text() for row in self._rows)])

    def _unit(self, unit: UnitCall) -> str:
        named = {"name": unit.unit} if unit.unit != unit.function else {}
        options = {**named, **unit_options(self._flow, unit.unit)}
        own = [_parameter(n, value) for n, value in self._flow.signatures[unit.unit].items()]
        lines = [call.text() for call in unit.calls]
        if unit.targets:
            lines.append(f"return {', '.join(unit.targets)}")
        return _defined(unit.function, options, [*unit.arguments, *own], lines)


def _defined(
    name: str, options: Mapping[str, object], parameters: list[str], lines: list[str]
) -> str:
    """A pipeline."""
    inside = ", ".join(f"{key}={value!r}" for key, value in options.items())
    head = f"@pipeline({inside})" if inside else "@pipeline"
    body = "\n".join(f"    {line}" for line in lines)
    return f"{head}\ndef {name}({', '.join(parameters)}):\n{body}"


def _docstring(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{quoted}"""'


def _parameter(name: str, value: object) -> str:
    kind = f": {type(value).__name__}" if value is not None else ""
    return f"{name}{kind} = {value!r}"


def _segment(code: CellCode, statement: ast.stmt) -> str:
    """The lines of a statement with the comments right above it."""
    lines = code.text.splitlines()
    first = first_line(statement) - 1
    last = statement.end_lineno or statement.lineno
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first:last])


def _as_local(text: str, statement: ast.stmt, step: StepFlow) -> str:
    """``global`` of the notebook is ``nonlocal`` in a function of a step, and nothing in itself."""
    names = {name for n in ast.walk(statement) if isinstance(n, ast.Global) for name in n.names}
    own = {*step.names.binds, *step.inputs} - {*step.globals} | {*defaults_of(step)}
    if not names & own:
        return text
    if isinstance(statement, ast.Global):
        return ""
    return re.sub(r"^(\s*)global\b", r"\1nonlocal", text, flags=re.MULTILINE)


def _is_code(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())
