"""A plan while it is rewritten: its parts by id, the tasks that are added, and its values.

Values that KFP cannot hand on become the outputs of small tasks (`Rewriting.add`):

- a choice of branches that is not one output of one task: a task in each branch that picks it;
- values of a container that are collected from a loop, or leave an exit scope: a task beside it that
  keeps each in a record;
- a file that a container has written: a task behind it that puts it into the store.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile.native_values import (
    FILE,
    PRIMITIVES,
    constant_type,
    native_type,
)
from kalelite.backends.kubeflow.pod import builtin_steps
from kalelite.executor import container_io
from kalelite.plan import graph
from kalelite.plan.names import unique
from kalelite.plan.options import StepOptions
from kalelite.plan.order import expressions

_VALUE = graph.Output("output")
_NOWHERE = graph.Block("")


class Rewriting:
    """The rewriting of one plan.

    ``tasks`` holds the plan's and those that are ``added``, of which ``writers`` give a file to a
    container. ``empty`` are loops over nothing, which are not compiled; ``numbered`` holds the
    items of loops that go over numbers. With ``carries`` values travel as artifacts, and
    ``collected`` are the loops that KFP itself collects from.
    """

    def __init__(self, plan: graph.Plan, *, carries: bool = False) -> None:
        self.plan = plan
        self._carries = carries
        # A run whose steps ask how others went asks for all loops.
        asks = any(task.options.ignore_failures for task in plan.tasks)
        exprs = [expr for task in plan.tasks for expr in task.arguments.values()]
        exprs += [expr for block in plan.blocks for expr in expressions(block)]
        found = {
            loop
            for expr in exprs
            for part in expr.walk()
            if isinstance(part, graph.Collected)
            for loop in part.loops
        }
        self.collected = {
            block.id
            for block in plan.blocks
            if carries
            and isinstance(block, graph.Loop)
            and not isinstance(block.items, graph.Constant)
            and (asks or block.id in found)
        }
        self.tasks = {task.id: task for task in plan.tasks}
        self.parameters = {parameter.name: parameter for parameter in plan.parameters}
        self.blocks: dict[str, graph.Block] = {block.id: block for block in plan.blocks}
        self.added: list[graph.Task] = []
        self.writers: set[str] = set()
        self.empty: set[str] = set()
        self.numbered: dict[str, tuple[Any, ...]] = {}
        self._made: dict[graph.Expr, graph.Expr] = {}

    def add(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: Mapping[str, graph.Expr],
        parent: str,
        output: graph.Output | None = _VALUE,
    ) -> graph.OutputRef:
        """Add a task and return its output; None is the file that it writes to its ``path``."""
        id = unique(name, {**self.tasks, **self.blocks})
        result = graph.OutputRef(id, output.name if output else FILE)
        if output is None:
            self.writers.add(id)
            arguments = {**arguments, "path": result}
        step = graph.StepDef(function.__name__, function, inspect.signature(function))
        self.tasks[id] = graph.Task(
            id,
            step,
            arguments,
            (output,) if output else (),
            options=StepOptions(display_name=_display_name(id)),
            parent=parent,
            where=self.blocks[parent].where if parent else self.plan.where,
        )
        self.added.append(self.tasks[id])
        return result

    def rewrite(self, expr: graph.Expr, scope: str) -> graph.Expr:
        """The expression as a task in ``scope`` may take it."""
        if isinstance(expr, graph.OutputRef):
            if self.is_file(replace(expr, path=())):
                return self._stored(expr)
            return self._left(expr) if self.leaves(expr, scope) else expr
        if isinstance(expr, graph.Collected):
            return self._beside(self._collected(expr), scope)
        if isinstance(expr, graph.OneOf):
            return self._one_of(expr)
        return _with(expr, tuple(self.rewrite(child, scope) for child in expr.children()))

    def leaves(self, expr: graph.Expr, scope: str) -> bool:
        """Whether a value leaves an exit scope to be in ``scope``: KFP itself lets none out."""
        around = {scope, *self._around(scope)}
        return any(
            isinstance(self.blocks[block], graph.ExitScope) and block not in around
            for ref in expr.outputs()
            for block in self._around(ref.task)
        )

    def _around(self, id: str) -> Iterator[str]:
        block = (self.tasks.get(id) or self.blocks.get(id) or _NOWHERE).parent
        while block:
            yield block
            block = self.blocks[block].parent

    def _left(self, ref: graph.OutputRef) -> graph.OutputRef:
        """A value that leaves an exit scope, from where it can be read by its record."""
        task = self.tasks[ref.task]
        if isinstance(task.step, graph.StepDef):
            return ref
        source = replace(ref, path=())
        if source not in self._made:
            name = f"{ref.task}-{ref.output}-value"
            self._made[source] = self.add(name, builtin_steps.same, {"value": source}, task.parent)
        made = self._made[source]
        assert isinstance(made, graph.OutputRef)
        return replace(made, path=ref.path)

    def type_of(self, expr: graph.Expr) -> str | None:
        """The primitive type under which KFP can compare an expression, None if it cannot."""
        kind: str | None = None
        if isinstance(expr, graph.Constant):
            kind = constant_type(expr.value)
        elif isinstance(expr, graph.OutputRef) and not expr.path:
            kind = self.tasks[expr.task].output(expr.output).native
        elif isinstance(expr, graph.ParameterRef) and not expr.path:
            kind = native_type(self.parameters[expr.name])
        return kind if kind in PRIMITIVES else None

    def is_path(self, expr: graph.Expr) -> bool:
        """Whether an expression is certain to be a path."""
        if isinstance(expr, graph.Constant):
            return isinstance(expr.value, Path)
        if isinstance(expr, graph.OneOf):
            return all(map(self.is_path, expr.choices))
        if isinstance(expr, graph.ParameterRef):
            return not expr.path and self.parameters[expr.name].type is Path
        if not isinstance(expr, graph.OutputRef) or expr.path:
            return False
        return self.tasks[expr.task].output(expr.output).type is Path

    def is_file(self, expr: graph.Expr) -> bool:
        """Whether an expression is a file that a container writes."""
        return (
            isinstance(expr, graph.OutputRef)
            and isinstance(self.tasks[expr.task].step, graph.ContainerDef)
            and self.is_path(expr)
        )

    def _stored(self, ref: graph.OutputRef) -> graph.OutputRef:
        """The file of a container as a value of the store."""
        source = replace(ref, path=())
        if source not in self._made:
            arguments = {"path": source, "name": graph.Constant(ref.output)}
            parent = self.tasks[ref.task].parent
            name = f"{ref.task}-{ref.output}-{FILE}"
            output = graph.Output("output", type=Path)
            self._made[source] = self.add(name, container_io.take, arguments, parent, output)
        stored = self._made[source]
        assert isinstance(stored, graph.OutputRef)
        return replace(stored, path=ref.path)

    def _collected(self, expr: graph.Collected) -> graph.Expr:
        """Values that tasks of ours leave in the loop, for the records are what they are read from."""
        if expr.loops[0] in self.empty:
            return graph.Constant([])
        for depth, loop in enumerate(expr.loops):
            if loop in self.empty:
                nothing = {"value": graph.Constant([])}
                made = self._make(expr, nothing, self.blocks[loop].parent)
                return graph.Collected(made, expr.loops[:depth])
        source = self.rewrite(expr.source, "")
        assert isinstance(source, graph.OutputRef)
        if isinstance(self.tasks[source.task].step, graph.ContainerDef):
            source = self._make(expr, {"value": source}, self.tasks[source.task].parent)
        return replace(expr, source=source)

    def _beside(self, expr: graph.Expr, scope: str) -> graph.Expr:
        """Collected values as a task in ``scope`` may take them.

        Of a list of artifacts KFP gives a block the last one only, so a task beside the loop makes
        one of them.
        """
        if not (self._carries and isinstance(expr, graph.Collected)):
            return expr
        parent = self.blocks[expr.loops[0]].parent
        return expr if parent == scope else self._make(expr, {"value": expr}, parent)

    def _make(
        self, expr: graph.Collected, arguments: Mapping[str, graph.Expr], parent: str
    ) -> graph.OutputRef:
        """The output of a task that has one part of the collected values."""
        if expr not in self._made:
            name = f"{expr.source.task}-{expr.source.output}-collected"
            self._made[expr] = self.add(name, builtin_steps.same, arguments, parent)
        made = self._made[expr]
        assert isinstance(made, graph.OutputRef)
        return made

    def _one_of(self, expr: graph.OneOf) -> graph.Expr:
        """A choice between one output of each branch, all of them stored in the same way."""
        if expr not in self._made:
            branches = [
                block.id
                for block in self.plan.blocks
                if isinstance(block, graph.Branch) and block.parent == expr.switch
            ]
            choices = [
                self.rewrite(choice, branch)
                for choice, branch in zip(expr.choices, branches, strict=True)
            ]
            if not all(map(self._is_stored_in, choices, branches)):
                choices = [
                    self.add(f"{branch}-value", builtin_steps.same, {"value": choice}, branch)
                    for choice, branch in zip(choices, branches, strict=True)
                ]
            self._made[expr] = graph.OneOf(expr.switch, tuple(choices))
        return self._made[expr]

    def _is_stored_in(self, expr: graph.Expr, branch: str) -> bool:
        """Whether an expression is a whole output of a Python task right in that branch."""
        if not isinstance(expr, graph.OutputRef) or expr.path:
            return False
        task = self.tasks[expr.task]
        return isinstance(task.step, graph.StepDef) and task.parent == branch


def _with(expr: graph.Expr, children: tuple[graph.Expr, ...]) -> graph.Expr:
    """The expression with other children."""
    match expr:
        case graph.Pack():
            return replace(expr, items=children)
        case graph.Compare():
            return replace(expr, left=children[0], right=children[1])
        case graph.AllOf() | graph.AnyOf():
            return replace(expr, operands=children)
        case graph.Negation():
            return replace(expr, operand=children[0])
    return expr


def _display_name(id: str) -> str:
    """A task's id for people: ``if-1-condition`` is ``condition of if-1``."""
    about, _, what = id.rpartition("-")
    if what.isdigit():
        about, _, what = about.rpartition("-")
    return (
        f"{what} of {about}"
        if about and what in ("condition", "items", "value", "collected", "file")
        else id
    )
