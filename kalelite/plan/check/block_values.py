"""Which values may leave which block: the rules of Kubeflow Pipelines, which the plan keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kalelite.errors import Problem, Where
from kalelite.plan.graph import (
    Block,
    Branch,
    Collected,
    ExitScope,
    Expr,
    Group,
    ItemRef,
    Loop,
    OneOf,
    OutputRef,
    Plan,
    StatusRef,
    Switch,
    Task,
    at_line,
)
from kalelite.plan.order import Nesting

__all__ = ["check_scopes"]


RESULT = "the pipeline's result"


def check_scopes(plan: Plan) -> Iterator[Problem]:
    """Values used outside of the block that they belong to, and misplaced handlers."""
    if not plan.blocks:
        yield from _loose_status(plan)
        return
    nesting = Nesting(plan)
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    for task in plan.tasks:
        around = set(nesting.around(task.id))
        for name, value in task.arguments.items():
            what = f"argument `{name}` of step `{task.step.name}`"
            yield from _values(nesting, around, value, what, task.where)
        yield from _waits(nesting, around, task)
        yield from _of_handlers(task, handlers)
    for block in plan.blocks:
        around = set(nesting.around(block.id))
        for value, what in _block_values(block):
            yield from _values(nesting, around, value, what, block.where)
        if isinstance(block, ExitScope):
            yield from _scope(nesting, block)
    if plan.result is not None:
        where = plan.result_where or plan.where
        yield from _values(nesting, set(), plan.result, RESULT, where)
    yield from _loose_status(plan)


def _block_values(block: Block) -> Iterator[tuple[Expr, str]]:
    if isinstance(block, Loop):
        yield block.items, "the list of ParallelFor"
    if isinstance(block, Branch) and block.condition is not None:
        yield block.condition, "the condition"


def _values(
    nesting: Nesting, around: set[str], value: Expr, what: str, where: Where | None
) -> Iterator[Problem]:
    """Problems of an expression used inside the blocks ``around``."""
    stack = [value]
    while stack:
        expr = stack.pop()
        if isinstance(expr, OutputRef):
            yield from _output(nesting, around, expr, what, where)
        elif isinstance(expr, Collected):
            yield from _collected(nesting, around, expr, what, where)
        elif isinstance(expr, OneOf):
            yield from _one_of(nesting, around, expr, what, where)
        elif isinstance(expr, ItemRef):
            if expr.loop not in around:
                yield Problem(
                    f"{what} is the item of a ParallelFor, outside of its block",
                    f"Move the call into the block{at_line(nesting.blocks[expr.loop])}.",
                    where,
                )
        else:
            stack.extend(expr.children())


def _output(
    nesting: Nesting, around: set[str], ref: OutputRef, what: str, where: Where | None
) -> Iterator[Problem]:
    block = _first_left(nesting, around, ref.task)
    if block is None:
        return
    taken = f"{what} takes `{ref.output}` of step `{nesting.tasks[ref.task].step.name}` "
    if isinstance(block, Loop):
        yield Problem(
            f"{taken}from inside `with ParallelFor`{at_line(block)}, where it has a value for each item",
            f"Gather them: write `Collected({ref.output})` for the list of all; or move the call into "
            "the block.",
            where,
        )
    elif isinstance(block, ExitScope):
        name = f"{ref.task}.{ref.output}"
        load = f'Return nothing: the run keeps the value, and kalelite.load("last", "{name}") reads it.'
        yield Problem(
            f"{taken}from inside `with ExitHandler`{at_line(block)}, which no value leaves",
            load if what == RESULT else "Move the call into that block.",
            where,
        )
    else:
        yield Problem(
            f"{taken}from a branch of `with If`{at_line(block)}, which may not run",
            f"Choose between the branches with `OneOf({ref.output}, other)`, where `other` is a result "
            "in Else; or move the call into the branch.",
            where,
        )


def _collected(
    nesting: Nesting, around: set[str], expr: Collected, what: str, where: Where | None
) -> Iterator[Problem]:
    left = _left(nesting, around, expr.source.task)
    missing = [block for block in left if isinstance(block, Loop) and block.id not in expr.loops]
    if missing:
        yield Problem(
            f"{what} takes collected values from inside another ParallelFor{at_line(missing[0])}",
            "Use Collected outside of both loops: it gives a list of lists.",
            where,
        )
    elif left and not isinstance(left[0], Loop):
        kind = "ExitHandler" if isinstance(left[0], ExitScope) else "If"
        yield Problem(
            f"{what} collects from a loop inside `with {kind}`{at_line(left[0])}, from outside of that block",
            "Move the call into that block; it may stand after the loop.",
            where,
        )


def _one_of(
    nesting: Nesting, around: set[str], expr: OneOf, what: str, where: Where | None
) -> Iterator[Problem]:
    switch = nesting.blocks[expr.switch]
    if expr.switch in around:
        yield Problem(
            f"{what} takes a OneOf inside one of its own branches",
            "Use OneOf after the last branch; inside a branch, use its own result.",
            where,
        )
        return
    block = _first_left(nesting, around, expr.switch)
    if block is not None:
        yield Problem(
            f"{what} takes a OneOf from inside another block{at_line(block)}",
            "Hand the value to a step beside its If, and let that step's result leave the block.",
            where,
        )
    natives = {_native(nesting, choice) for choice in expr.choices}
    if len(natives) > 1 and where is not None:
        yield Problem(
            f"the choices of OneOf{at_line(switch)} have different types: "
            + ", ".join(sorted(native or "any object" for native in natives)),
            "Let the steps in all branches return the same type, and annotate them alike.",
            where,
        )


def _native(nesting: Nesting, choice: Expr) -> str | None:
    if isinstance(choice, OutputRef) and not choice.path:
        return nesting.tasks[choice.task].output(choice.output).native
    return None


def _left(nesting: Nesting, around: set[str], source: str) -> list[Block]:
    """The blocks that a value leaves on its way from ``source``, outermost first.

    Groups are no borders: a nested pipeline is only a way to write steps down.
    """
    found = (nesting.blocks[id] for id in nesting.around(source) if id not in around)
    return [block for block in found if not isinstance(block, Group)]


def _first_left(nesting: Nesting, around: set[str], source: str) -> Block | None:
    return next(iter(_left(nesting, around, source)), None)


def _waits(nesting: Nesting, around: set[str], task: Task) -> Iterator[Problem]:
    """``after`` may name what is in a loop or under an exit handler, but not in a branch."""
    for id in task.after:
        left = _left(nesting, around, id)
        if any(isinstance(block, (Switch, Branch)) for block in left[:1]):
            yield Problem(
                f"step `{task.step.name}` waits for a step in a branch of `with If`{at_line(left[0])}, "
                "which may not run",
                "Put this call into the branch, too, or let it take a OneOf of the branches' results.",
                task.where,
            )


def _of_handlers(task: Task, handlers: set[str]) -> Iterator[Problem]:
    taken = [*_tasks(task.arguments.values()), *task.after]
    if task.id in handlers and taken:
        yield Problem(
            f"the exit handler `{task.step.name}` takes values of other steps, or waits for them",
            "A handler runs whatever became of the steps, so it may take constants and pipeline "
            "parameters only, and a parameter annotated with FinalStatus.",
            task.where,
        )
    elif handlers.intersection(taken):
        yield Problem(
            f"step `{task.step.name}` takes the result of an exit handler, or waits for it",
            "A handler runs last; do this in the handler itself.",
            task.where,
        )


def _tasks(values: Iterable[Expr]) -> Iterator[str]:
    for value in values:
        for expr in value.walk():
            if isinstance(expr, OutputRef):
                yield expr.task


def _scope(nesting: Nesting, scope: ExitScope) -> Iterator[Problem]:
    outer = [nesting.blocks[id] for id in nesting.around(scope.id)]
    if outer:
        names: dict[type, str] = {Loop: "with ParallelFor", ExitScope: "with ExitHandler"}
        name = names.get(type(outer[0]), "with If")
        if isinstance(outer[0], Group):
            name = f"{outer[0].name}(...)"
        yield Problem(
            f"ExitHandler stands inside `{name}`{at_line(outer[0])}",
            "Kubeflow Pipelines allows it in the outermost pipeline only: put it around that block.",
            scope.where,
        )
    handler = nesting.tasks.get(scope.handler)
    if handler is not None and handler.parent != scope.parent:
        yield Problem(
            f"the handler `{handler.step.name}` is called in another block than its ExitHandler",
            f"Call it in place: `with ExitHandler({handler.step.name}(...)):`.",
            scope.where,
        )


def _loose_status(plan: Plan) -> Iterator[Problem]:
    for task in plan.tasks:
        if any(value == StatusRef("") for value in task.arguments.values()):
            yield Problem(
                f"step `{task.step.name}` asks for a FinalStatus, but it is no exit handler",
                f"Write `with ExitHandler({task.step.name}(...)):` around the steps that it is for.",
                task.where,
            )
