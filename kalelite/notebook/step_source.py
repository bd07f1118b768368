"""What the steps of a tagged notebook are called, take and give: the same for a run and a script."""

from __future__ import annotations

import ast
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from kalelite.frozen import frozen
from kalelite.notebook.cell_code import CellCode
from kalelite.notebook.free_names import BUILTINS
from kalelite.notebook.step_flow import Flow, StepFlow

_SHOWN = frozenset(
    {
        "count", "corr", "describe", "head", "info", "isna", "mean", "median", "memory_usage",
        "nunique", "predict", "quantile", "sample", "score", "std", "sum", "summary", "tail",
        "unique", "value_counts",
    }
)  # fmt: skip
"""Methods that are called at the end of a cell to look at what they give."""


@frozen
class StepCall:
    """The call of a step in the pipeline: ``targets = function(arguments, after=…)``."""

    step: StepFlow
    name: str
    function: str
    targets: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    after: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """The names that it reads."""
        return (*(value for _, value in self.arguments), *self.after)

    def text(self) -> str:
        """The call as Python."""
        parts = [value if name == value else f"{name}={value}" for name, value in self.arguments]
        if any(name != value for name, value in self.arguments):
            parts = [f"{name}={value}" for name, value in self.arguments]
        if self.after:
            inner = ", ".join(self.after)
            parts.append(f"after=[{inner}]" if len(self.after) > 1 else f"after={inner}")
        left = f"{', '.join(self.targets)} = " if self.targets else ""
        return f"{left}{self.function}({', '.join(parts)})"


@frozen
class UnitCall:
    """The call of a unit in the pipeline, a pipeline of its own: ``targets = function(arguments)``."""

    unit: str
    function: str
    calls: tuple[StepCall, ...]
    targets: tuple[str, ...]
    arguments: tuple[str, ...]

    def text(self) -> str:
        """The call as Python."""
        left = f"{', '.join(self.targets)} = " if self.targets else ""
        return f"{left}{self.function}({', '.join(self.arguments)})"


def with_units(flow: Flow, calls: list[StepCall]) -> list[StepCall | UnitCall]:
    """The calls, with those of a unit as one."""
    taken = {call.function for call in calls} | _names(flow)
    found: list[StepCall | UnitCall] = []
    rest = len(calls)
    for unit, group in groupby(calls, key=lambda call: call.step.unit):
        own = tuple(group)
        rest -= len(own)
        if not unit:
            found += own
            continue
        reads = {name for call in calls[len(calls) - rest :] for name in call.reads}
        own_parameters = flow.signatures[unit]
        bound: dict[str, None] = {}
        outside: dict[str, None] = {}
        for call in own:
            outside |= {n: None for n in call.reads if n not in bound and n not in own_parameters}
            bound |= dict.fromkeys(call.targets)
        function = _free(_identifier(unit), taken, "pipeline")
        taken.add(function)
        targets = tuple(name for name in bound if name in reads)
        found.append(UnitCall(unit, function, own, targets, tuple(outside)))
    return found


def unit_options(flow: Flow, unit: str) -> dict[str, Any]:
    """The options of a unit's pipeline; the others are those of the pipeline around it."""
    options = flow.tagged.units[unit].options
    return {name: options[name] for name in ("defaults",) if name in options}


def calls_of(flow: Flow) -> list[StepCall]:
    """The calls of the pipeline, in order.

    A result has its name; if another result of that name comes before it is taken, its step's too.
    """
    called = _called(flow)
    functions = _functions(flow, called)
    unique: set[tuple[int, str]] = set()
    now: dict[str, StepFlow | None] = dict.fromkeys(flow.parameters)
    for step in flow.steps:
        uses = [(step.sources.get(name), name) for name in step.inputs if name not in step.globals]
        uses += [(other, other.outputs[0]) for other in step.after if other.outputs]
        for source, name in uses:
            if now.get(name) is not source:
                unique.add((id(source or now[name]), name))
        now.update(dict.fromkeys(step.outputs, step))
    awaited = {id(other) for step in flow.steps for other in step.after if not other.outputs}

    def variable(source: StepFlow | None, name: str) -> str:
        return (
            f"{name}_{_identifier(source.name)}"
            if source and (id(source), name) in unique
            else name
        )

    calls = []
    for step in flow.steps:
        targets = [variable(step, name) for name in step.outputs]
        if id(step) in awaited:
            targets = [f"{_identifier(step.name)}_done"]
        arguments = [
            (name, variable(step.sources.get(name), name))
            for name in step.inputs
            if name not in step.globals
        ]
        after = [
            variable(other, other.outputs[0])
            if other.outputs
            else f"{_identifier(other.name)}_done"
            for other in step.after
        ]
        calls.append(
            StepCall(
                step, called[step], functions[step], tuple(targets), tuple(arguments), tuple(after)
            )
        )
    return calls


def pipeline_function(flow: Flow, calls: Iterable[StepCall | UnitCall]) -> str:
    """The name of the pipeline's function."""
    taken = {call.function for call in calls} | _names(flow)
    return _free(_identifier(str(flow.tagged.options["name"])), taken, "pipeline")


def _called(flow: Flow) -> dict[StepFlow, str]:
    """The names of the steps: where two notebooks have a name, with that of the notebook."""
    often = Counter(step.name for step in flow.steps)
    return {
        step: f"{step.unit}_{step.name}" if step.unit and often[step.name] > 1 else step.name
        for step in flow.steps
    }


def _functions(flow: Flow, called: Mapping[StepFlow, str]) -> dict[StepFlow, str]:
    taken = _names(flow) | BUILTINS
    found = {}
    for step in flow.steps:
        found[step] = name = _free(_identifier(called[step]), taken, "step")
        taken.add(name)
    return found


def _names(flow: Flow) -> set[str]:
    names = set(flow.parameters)
    for step in flow.steps:
        names |= {*step.names.binds, *step.inputs, *step.names.reads}
    for _, statement in [*flow.top, *flow.hoisted]:
        names |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        names |= {n.name for n in ast.walk(statement) if isinstance(n, ast.FunctionDef)}
        names |= {a.asname or a.name for a in ast.walk(statement) if isinstance(a, ast.alias)}
    return names


def _identifier(name: str) -> str:
    made = re.sub(r"\W", "_", name)
    return f"_{made}" if not made or made[0].isdigit() or keyword.iskeyword(made) else made


def _free(name: str, taken: set[str], kind: str) -> str:
    while name in taken:
        name = f"{name}_{kind}"
    return name


def defaults_of(step: StepFlow) -> list[str]:
    """Globals that the step binds anew: parameters with the global as their default."""
    return [name for name in step.globals if name in step.names.binds]


def is_shown(code: CellCode, statement: ast.stmt) -> ast.expr | None:
    """The value of a cell's last expression, if a notebook shows it and a script prints it."""
    if statement is not code.statements[-1] or code.is_quiet or not isinstance(statement, ast.Expr):
        return None
    return statement.value if _worth_showing(statement.value) else None


def _worth_showing(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=str()):
            return False
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _SHOWN
        case ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom():
            return isinstance(value, ast.Call) and getattr(value.func, "id", "") in {
                "len",
                "sum",
                "type",
            }
    return True


def metrics_of(step: StepFlow) -> Iterator[str]:
    """The names that the cells of metrics mention, as ``name`` or ``print(name)``."""
    if not step.tag.is_metrics:
        return
    for _, statement in step.body:
        match statement:
            case ast.Expr(value=ast.Name(id=name)):
                yield name
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[ast.Name(id=name)])):
                yield name
