"""How data flow between the steps of a tagged notebook.

The notebook run from top to bottom is what is meant: a step takes a name's value from the last step
above that binds it or may change it. Where ``prev:`` tags are given, the steps that they lead to
go before the others, as in Kale.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile

from kalelite.errors import Problem
from kalelite.notebook.cell_code import CellCode, cell_code
from kalelite.notebook.ipynb import Cell
from kalelite.notebook.notebook_top import NotebookTop, globals_of, name_of
from kalelite.notebook.statement_names import assigned, names_of
from kalelite.notebook.step_flow import Flow, Statement, StepFlow
from kalelite.notebook.tags import Tagged
from kalelite.notebook.value_changes import changes_of, closure, root_of

_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars"})


def flow_of(tagged: Tagged) -> Flow:
    """Find the flow of a notebook's data.

    Raises `ScriptError`: a cell is not Python.
    """
    flow = Flow(tagged, notes=list(tagged.notes), problems=list(tagged.problems))
    parameters = {c for part in (tagged, *tagged.units.values()) for c in part.parameters}
    flow.top, _ = _statements(cell for cell in tagged.top if cell not in parameters)
    flow.problems += _defined_anew(flow.top)
    for tag in tagged.steps:
        body, codes = _statements(tag.cells)
        flow.steps.append(StepFlow(codes, body, tag))
        flow.problems += [problem for code in codes for problem in code.problems]
    flow.steps = _in_order(flow.steps)
    finding = _Finding(flow, NotebookTop(flow))
    finding.forward()
    finding.connect()
    if tagged.units:
        finding.wait()
    finding.end()
    flow.notes = list(dict.fromkeys(flow.notes))
    return flow


def _statements(cells: Iterable[Cell]) -> tuple[list[Statement], list[CellCode]]:
    codes = [cell_code(cell) for cell in cells]
    return [(code, statement) for code in codes for statement in code.body], codes


def _defined_anew(top: Iterable[Statement]) -> Iterator[Problem]:
    """Names that one notebook defines otherwise than another one, whose steps would see it."""
    defined: dict[str, Statement] = {}
    for code, statement in top:
        for name in names_of([statement]).binds:
            other, before = defined.setdefault(name, (code, statement))
            if code.cell.book != other.cell.book and ast.dump(before) != ast.dump(statement):
                where = other.where(before.lineno)
                message = f"{name} is also defined, differently, at {where}"
                hint = "Give one of them another name."
                yield Problem(message, hint, code.where(statement.lineno))


def _in_order(steps: list[StepFlow]) -> list[StepFlow]:
    """The steps, with notebooks referred to in a row in the order of their data."""
    left = [list(unit) for _, unit in groupby(steps, key=lambda step: step.unit)]
    names = {id(unit): names_of(s for step in unit for s in step.statements()) for unit in left}
    found: list[StepFlow] = []
    bound: set[str] = set()

    def is_ready(unit: list[StepFlow]) -> bool:
        needs = names[id(unit)].reads.keys() - bound
        return not any(needs & names[id(o)].binds.keys() for o in row if o is not unit)

    while left:
        row = list(takewhile(lambda unit: unit[0].unit, left))
        unit = next(filter(is_ready, row), left[0])
        left.remove(unit)
        found += unit
        bound |= names[id(unit)].binds.keys()
    return found


class _Finding:
    def __init__(self, flow: Flow, top: NotebookTop) -> None:
        self.flow = flow
        self.tagged = flow.tagged
        self.top = top

    def forward(self) -> None:
        """What each step reads and writes, from the first on."""
        module = self.top.known | self.flow.copied
        for step in self.flow.steps:
            step.names = names_of(step.statements())
            step.reads = {n: line for n, line in step.names.reads.items() if n not in module}
        effects = self._effects()
        available = set(self.flow.parameters) | self.top.values
        made: set[str] = set()
        for index, (step, (changed, shared)) in enumerate(
            zip(self.flow.steps, effects, strict=True)
        ):
            later = self.flow.steps[index + 1 :]
            # Nobody sees what becomes of a name that nobody reads any more.
            alive = {name for other in later for name in other.reads}
            changed_later = {name for other, _ in effects[index + 1 :] for name in other}
            # Names that share a value come from one step, so that they go on sharing it.
            bound_together = shared & changed_later
            binds = step.names.binds.keys() - {name_of(s) for _, s in step.helpers}
            unsure = {name for name in binds if name not in step.names.settled}
            touched = (changed | bound_together | unsure) & (alive | step.reads.keys())
            taken = available & {*step.reads, *touched} - (self.flow.hidden(step) - made)
            step.inputs = sorted(taken, key=lambda n: (step.reads.get(n, 10**9), n))
            step.writes = set(binds) | (touched & available)
            self._missing(step, taken)
            self._uncertain(step)
            available |= step.writes
            made |= step.writes
            available -= step.names.deleted.keys()

    def _effects(self) -> list[tuple[set[str], set[str]]]:
        """For each step: the names whose values it may change, and those that it makes share one."""
        shared: list[tuple[str, str]] = []
        effects = []
        fixed = self.top.fixed | (self.top.definitions.keys() - self.flow.copied)
        for step in self.flow.steps:
            statements = step.statements()
            changes = changes_of(statements, self.top.libraries, fixed, self.top.functions)
            shared += changes.shared
            changed = closure(changes.changed, shared)
            changed |= {name for s in statements for name in globals_of(s)}
            together = closure((name for pair in changes.shared for name in pair), shared)
            effects.append((changed, together))
        return effects

    def _missing(self, step: StepFlow, available: set[str]) -> None:
        for name in step.reads:
            if name in available or (name in step.names.binds and name not in step.names.sure):
                continue
            message = f"step {step.name!r} reads {name!r}, which nothing above it sets"
            hint = ""
            for cell in step.tag.notebook.cells:
                if "skip" in cell.tags and cell.kind == "code" and f"{name} =" in cell.source:
                    hint = "A cell that is tagged skip sets it: take the tag away."
            for other in self.flow.steps:
                if name in other.names.deleted:
                    hint = f"Step {other.name!r} has deleted it."
            where = step.where(name)
            if name in step.names.sure and name not in step.names.binds:
                self.flow.problems.append(Problem(message, hint, where))
            elif name not in step.names.binds:
                self.flow.notes.append(
                    f"{where}: {message}, unless that code does not run. {hint}".strip()
                )

    def _uncertain(self, step: StepFlow) -> None:
        """Note what syntax does not show."""
        for code, statement in step.body:
            for node in ast.walk(statement):
                match node:
                    case ast.Call(func=ast.Name(id=name)) if name in _DYNAMIC:
                        self.flow.notes.append(
                            f"{code.where(node.lineno)}: {name}() may use names that do not show:"
                            f" step {step.name!r} has those that its code names."
                        )
                    case ast.Call(func=ast.Attribute(attr=name) as function) if (
                        "seed" in name and root_of(function) in self.top.libraries
                    ):
                        self.flow.notes.append(
                            f"{code.where(node.lineno)}: this sets the process of step {step.name!r} only;"
                            " what is meant for all steps belongs to the cells tagged imports."
                        )

    def connect(self) -> None:
        """Find the step that each input comes from."""
        for index, step in enumerate(self.flow.steps):
            above = self.flow.steps[:index]
            by_name = {other.name: other for other in above if other.unit == step.unit}
            ancestors = _ancestors(step, by_name)
            own = self.flow.signatures[step.unit] if step.unit else ()
            for name in step.inputs:
                writers = [
                    other
                    for other in above
                    if name in other.writes and (other.unit == step.unit or name not in own)
                ]
                near = [other for other in writers if other in ancestors]
                source = next(reversed(near or writers), None)
                if source is None:
                    if name in self.top.values:
                        step.globals.append(name)
                    continue
                if near and writers[-1] is not source and name in writers[-1].names.binds:
                    self.flow.notes.append(
                        f"{step.where(name)}: {name} is that of step {source.name!r}, as the prev: tags"
                        f" say; from top to bottom it would be that of {writers[-1].name!r}."
                    )
                step.sources[name] = source
                if name not in source.outputs:
                    source.outputs.append(name)
                if name in source.names.binds and name not in source.names.settled | set(
                    source.inputs
                ):
                    self.flow.notes.append(
                        f"{source.where(name)}: {name} is set under a condition only, and step"
                        f" {step.name!r} takes it."
                    )
            sources = {id(source) for source in step.sources.values()}
            step.after = [
                by_name[n]
                for n in step.tag.previous
                if n in by_name and id(by_name[n]) not in sources
            ]

    def wait(self) -> None:
        """The notebook's own steps wait for all above them, as in Kale, and what is below for them."""
        last: list[StepFlow] = []  # the step above, and the units since then
        for step in self.flow.steps:
            awaited = {id(other) for other in [*step.sources.values(), *step.after]}
            if step.unit:
                if last and not last[0].unit and awaited.isdisjoint(map(id, last)):
                    step.after.append(last[0])
                last.append(step)
                continue
            awaited |= {id(o) for unit in last for o in [*unit.sources.values(), *unit.after]}
            step.after += [other for other in last if id(other) not in awaited]
            last = [step]

    def end(self) -> None:
        """What nobody takes is the result of a step at the end."""
        for step in self.flow.steps:
            order = [*step.names.binds, *step.inputs]
            if step.outputs or any(step in other.after for other in self.flow.steps):
                step.outputs.sort(key=lambda name: order.index(name) if name in order else 0)
                continue
            step.outputs = [n for n in assigned(s for _, s in step.body) if n in step.names.settled]


def _ancestors(step: StepFlow, by_name: dict[str, StepFlow]) -> list[StepFlow]:
    found: list[StepFlow] = []
    pending = list(step.tag.previous)
    while pending:
        other = by_name.get(pending.pop())
        if other is not None and other not in found:
            found.append(other)
            pending += other.tag.previous
    return found
