"""A plan rewritten so that each of its parts is something that KFP has a word for.

What KFP cannot say itself becomes a small task of its own (its function is one of
`kalelite.backends.kubeflow.pod.builtin_steps`):

- a condition with ``and``, ``or``, ``not``, or on a part of a value: a task that decides it;
- loop items that no task gives as a list of their own: a task that makes the list;
- a choice of branches that is not one output of one task: a task in each branch that picks it;
- values collected from a loop in a loop: a task in the outer loop that collects the inner one,
  because KFP collects nested loops into one flat list;
- files of containers: tasks that write and take them (`kalelite.backends.kubeflow.compile.container_calls`).

Constant loop items that KFP would change or that do not belong into a YAML file stay in the
bundle, and the loop goes over their numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kalelite.backends.kubeflow.compile.container_calls import FILE, Call, Containers
from kalelite.backends.kubeflow.compile.native_values import element_type, plain_items, type_of
from kalelite.backends.kubeflow.pod import builtin_steps as helpers
from kalelite.plan.graph import (
    AllOf,
    AnyOf,
    Block,
    Branch,
    Collected,
    Compare,
    Constant,
    ContainerDef,
    ExitScope,
    Expr,
    Loop,
    Negation,
    OneOf,
    Output,
    OutputRef,
    Pack,
    ParameterRef,
    Plan,
    StepDef,
    Task,
)
from kalelite.plan.names import unique
from kalelite.plan.nesting import ROOT
from kalelite.plan.options import StepOptions
from kalelite.plan.order import in_call_order
from kalelite.plan.types.fit import native_name

__all__ = ["Lowered", "lower"]


@dataclass(frozen=True, slots=True)
class Lowered:
    """The rewritten plan.

    ``numbered`` holds the items of loops that go over numbers; ``extra`` are the tasks that
    stand for something in the user's plan that is no task. ``calls`` tells how each container is
    called, ``givers`` which tasks write files for them.
    """

    plan: Plan
    numbered: Mapping[str, tuple[Any, ...]]
    extra: frozenset[str]
    calls: Mapping[str, Call]
    givers: frozenset[str]


def lower(plan: Plan) -> Lowered:
    """Rewrite a checked plan."""
    return Lowering(plan).run()


class Lowering:
    """The rewriting of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tasks = {task.id: task for task in plan.tasks}
        self.parameters = {parameter.name: parameter for parameter in plan.parameters}
        self.blocks: dict[str, Block] = {block.id: block for block in plan.blocks}
        self.branches: dict[str, list[str]] = {}
        for block in plan.blocks:
            if isinstance(block, Branch):
                self.branches.setdefault(block.parent, []).append(block.id)
        self.extra: list[Task] = []
        self.numbered: dict[str, tuple[Any, ...]] = {}
        self.empty: set[str] = set()
        self.known: dict[Any, Expr] = {}
        self.containers = Containers(self)

    def run(self) -> Lowered:
        for block in self.plan.blocks:
            if isinstance(block, Loop) and isinstance(block.items, Constant):
                items = tuple(block.items.value)
                if not items:
                    self.empty.add(block.id)
                elif not plain_items(items):
                    self.numbered[block.id] = items
        tasks = [self.task(task) for task in self.plan.tasks if not self.gone(task.parent)]
        result = None if self.plan.result is None else self.rewrite(self.plan.result, "")
        filled = self.filled(tasks)
        blocks = [self.block(block) for block in self.plan.blocks if block.id in filled]
        tasks = [self.waiting(task, filled) for task in self.in_order(tasks, blocks)]
        options = replace(self.plan.options, order="data")
        plan = replace(
            self.plan,
            tasks=(*tasks, *self.extra),
            blocks=tuple(blocks),
            result=result,
            options=options,
        )
        extra = frozenset(task.id for task in self.extra)
        givers = frozenset(self.containers.givers)
        return Lowered(plan, self.numbered, extra, self.containers.calls, givers)

    def gone(self, block: str) -> bool:
        """Whether the block is, or stands in, a loop over nothing."""
        while block:
            if block in self.empty:
                return True
            block = self.blocks[block].parent
        return False

    def task(self, task: Task) -> Task:
        if isinstance(task.step, ContainerDef):
            call = self.containers.call(task, task.step)
            return replace(task, arguments=call.arguments, after=(*task.after, *call.after))
        arguments = {name: self.rewrite(expr, task.parent) for name, expr in task.arguments.items()}
        return replace(task, arguments=arguments)

    def in_order(self, tasks: list[Task], blocks: list[Block]) -> tuple[Task, ...]:
        """The tasks, with waits for ``order="calls"``, of which the tasks added here are no part."""
        plan = replace(self.plan, tasks=tuple(tasks), blocks=tuple(blocks))
        return in_call_order(plan, {ROOT} if plan.options.order == "calls" else ()).tasks

    def waiting(self, task: Task, filled: set[str]) -> Task:
        """The task without waits for what is not compiled."""
        return replace(task, after=tuple(id for id in task.after if self.place_of(id) in filled))

    def filled(self, tasks: Iterable[Task]) -> set[str]:
        """The blocks to compile, for kfp takes no block without a task.

        A loop over nothing may have emptied the blocks around it: those go, too, except for a
        branch beside one that is left, and a scope whose exit handler has to run.
        """
        filled = {""}

        def fill(block: str) -> None:
            while block not in filled:
                filled.add(block)
                block = self.blocks[block].parent

        for task in [*tasks, *self.extra]:
            fill(task.parent)
        for block in self.plan.blocks:
            if self.gone(block.id):
                continue
            is_branch = isinstance(block, Branch) and block.parent in filled
            if block.id not in filled and (is_branch or isinstance(block, ExitScope)):
                fill(block.id)
                self.helper(f"{block.id}-empty", helpers.same, {"value": Constant(None)}, block.id)
        return filled

    def place_of(self, id: str) -> str:
        return self.tasks[id].parent if id in self.tasks else id

    def block(self, block: Block) -> Block:
        if isinstance(block, Branch) and block.condition is not None:
            outside = self.blocks[block.parent].parent
            return replace(block, condition=self.condition(block, outside))
        if isinstance(block, Loop):
            return replace(block, items=self.items(block))
        return block

    def condition(self, branch: Branch, scope: str) -> Expr:
        """A comparison that KFP can make, of the user's values or of a task's answer."""
        condition = self.rewrite(branch.condition or Constant(True), scope)
        if isinstance(condition, OutputRef) and self.type_of(condition) == "bool":
            return Compare("==", condition, Constant(True))
        if isinstance(condition, Compare) and self.simple(condition):
            return condition
        leaves: list[Expr] = []
        tree = _tree(condition, leaves)
        answer = self.helper(
            f"{branch.id}-condition",
            helpers.decide,
            {"tree": Constant(tree), "values": Pack(list, tuple(leaves))},
            scope,
            native="bool",
        )
        return Compare("==", answer, Constant(True))

    def simple(self, compare: Compare) -> bool:
        left, right = self.type_of(compare.left), self.type_of(compare.right)
        if left is None or right is None:
            return False
        if isinstance(compare.left, Constant) and isinstance(compare.right, Constant):
            return False
        numbers = ("int", "float")
        if left in numbers and right in numbers:
            return True
        return left == right and (left == "str" or compare.op in ("==", "!="))

    def type_of(self, expr: Expr) -> str | None:
        return type_of(expr, self.tasks, self.parameters)

    def items(self, loop: Loop) -> Expr:
        """Items that KFP can loop over."""
        if loop.id in self.numbered:
            return Constant(tuple(range(len(self.numbered[loop.id]))))
        items = loop.items
        if isinstance(items, Constant):
            return Constant(tuple(items.value))
        if isinstance(items, ParameterRef) and not items.path:
            parameter = self.parameters[items.name]
            kind = parameter.type if parameter.type is not None else type(parameter.default)
            # Items of any other type would change on their way through KFP.
            if native_name(kind) == "list" and element_type(kind) in ("int", "float", "str"):
                return items
        return self.made_items(loop)

    def made_items(self, loop: Loop) -> Expr:
        """The list that a task gives, or that a task of its own makes."""
        items = loop.items
        if (
            isinstance(items, OutputRef)
            and not items.path
            and self.tasks[items.task].output(items.output).native == "list"
        ):
            return items
        arguments = {"value": self.rewrite(items, loop.parent)}
        return self.helper(f"{loop.id}-items", helpers.items, arguments, loop.parent, "list")

    def rewrite(self, expr: Expr, scope: str) -> Expr:  # noqa: PLR0911 - one line for each kind
        """The expression as a task in ``scope`` may take it."""
        if isinstance(expr, OutputRef) and self.containers.is_file(replace(expr, path=())):
            return self.containers.take(expr)
        if isinstance(expr, Collected):
            return self.collected(expr)
        if isinstance(expr, OneOf):
            return self.one_of(expr)
        if isinstance(expr, Pack):
            return replace(expr, items=tuple(self.rewrite(item, scope) for item in expr.items))
        if isinstance(expr, Compare):
            left, right = self.rewrite(expr.left, scope), self.rewrite(expr.right, scope)
            return replace(expr, left=left, right=right)
        if isinstance(expr, (AllOf, AnyOf)):
            return replace(expr, operands=tuple(self.rewrite(o, scope) for o in expr.operands))
        if isinstance(expr, Negation):
            return replace(expr, operand=self.rewrite(expr.operand, scope))
        return expr

    def collected(self, expr: Collected) -> Expr:
        """The collected values of one loop; those of an inner loop are collected by a task."""
        outer, *inner = expr.loops
        if outer in self.empty:
            return Constant([])
        source = self.rewrite(expr.source, "")
        assert isinstance(source, OutputRef)
        expr = replace(expr, source=source)
        if not inner:
            return expr
        if expr not in self.known:
            collected = self.collected(replace(expr, loops=tuple(inner)))
            name = f"{expr.source.task}-{expr.source.output}-collected"
            body = self.blocks[inner[0]].parent
            self.known[expr] = self.helper(name, helpers.same, {"value": collected}, body)
        source = self.known[expr]
        assert isinstance(source, OutputRef)
        return Collected(source, (outer,))

    def one_of(self, expr: OneOf) -> Expr:
        """A choice between one output of each branch, all of them kept in the same way."""
        key = ("one of", expr.switch, tuple(map(_identity, expr.choices)))
        if key not in self.known:
            branches = self.branches[expr.switch]
            pairs = list(zip(expr.choices, branches, strict=True))
            choices = [self.rewrite(choice, branch) for choice, branch in pairs]
            plain = all(
                isinstance(choice, OutputRef)
                and not choice.path
                and isinstance(self.tasks[choice.task].step, StepDef)
                and self.tasks[choice.task].parent == branch
                for choice, branch in zip(choices, branches, strict=True)
            )
            if not plain:
                choices = [
                    self.helper(f"{branch}-value", helpers.same, {"value": choice}, branch)
                    for choice, branch in zip(choices, branches, strict=True)
                ]
            self.known[key] = OneOf(expr.switch, tuple(choices))
        return self.known[key]

    def helper(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: dict[str, Expr],
        parent: str,
        native: str | None = None,
        *,
        type: Any = None,
        gives: bool = False,
    ) -> OutputRef:
        """Add a task and return its output: a value, or if it ``gives`` a file, that file."""
        id = unique(name, {**self.tasks, **self.blocks})
        step = StepDef(
            name=function.__name__, function=function, signature=inspect.signature(function)
        )
        output = OutputRef(id, FILE if gives else "output")
        outputs = () if gives else (Output(output.output, native=native, type=type),)
        if gives:
            arguments = {**arguments, "path": output}
        where = self.blocks[parent].where if parent else self.plan.where
        options = StepOptions(display_name=_display_name(id))
        task = Task(id, step, arguments, outputs, options=options, parent=parent, where=where)
        self.tasks[id] = task
        self.extra.append(task)
        return output


def _tree(expr: Expr, leaves: list[Expr]) -> list[Any]:
    """A condition as nested lists, with the numbers of its values among the leaves."""
    if isinstance(expr, Compare):
        return [expr.op, _tree(expr.left, leaves), _tree(expr.right, leaves)]
    if isinstance(expr, AllOf):
        return ["and", *(_tree(operand, leaves) for operand in expr.operands)]
    if isinstance(expr, AnyOf):
        return ["or", *(_tree(operand, leaves) for operand in expr.operands)]
    if isinstance(expr, Negation):
        return ["not", _tree(expr.operand, leaves)]
    leaves.append(expr)
    return ["value", len(leaves) - 1]


def _identity(expr: Expr) -> Any:
    """The expression if it can be a key, else its object."""
    return id(expr) if any(isinstance(part, (Constant, Pack)) for part in expr.walk()) else expr


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
