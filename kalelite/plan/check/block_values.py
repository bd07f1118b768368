"""Which values may leave which block: the rules of Kubeflow Pipelines, which the plan keeps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from kalelite.errors import Problem, Where
from kalelite.plan import graph
from kalelite.plan.graph import Block, ExitScope, Expr, Loop, OneOf, OutputRef, Plan, Task, at_line
from kalelite.plan.order import Nesting, expressions

RESULT = "the pipeline's result"


def check_scopes(plan: Plan) -> Iterator[Problem]:
    """Values used outside of the block that they belong to, and misplaced handlers."""
    yield from _loose_status(plan)
    if not plan.blocks:
        return
    nesting = Nesting(plan)
    for task in plan.tasks:
        around = set(nesting.around(task.id))
        for name, value in task.arguments.items():
            what = f"argument `{name}` of step `{task.step.name}`"
            yield from _values(nesting, around, value, what, task.where)
        yield from _waits(nesting, around, task)
        yield from _of_handlers(nesting, task)
    for block in plan.blocks:
        around = set(nesting.around(block.id))
        what = "the list of ParallelFor" if isinstance(block, Loop) else "the condition"
        for value in expressions(block):
            yield from _values(nesting, around, value, what, block.where)
        if isinstance(block, ExitScope):
            yield from _scope(nesting, block)
    if plan.result is not None:
        where = plan.result_where or plan.where
        yield from _values(nesting, set(), plan.result, RESULT, where)


def _values(
    nesting: Nesting, around: set[str], value: Expr, what: str, where: Where | None
) -> Iterator[Problem]:
    """Problems of an expression used inside the blocks ``around``."""
    stack = [value]
    while stack:
        expr = stack.pop()
        if isinstance(expr, OutputRef):
            yield from _output(nesting, around, expr, what, where)
        elif isinstance(expr, graph.Collected):
            yield from _collected(nesting, around, expr, what, where)
        elif isinstance(expr, OneOf):
            yield from _one_of(nesting, around, expr, what, where)
        elif isinstance(expr, graph.ItemRef):
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
    left = _left(nesting, around, ref.task)
    if not left:
        return
    at = at_line(left[0])
    if isinstance(left[0], Loop):
        source = f"inside `with ParallelFor`{at}, where it has a value for each item"
        hint = f"Gather them: write `Collected({ref.output})` for the list of all; or move the call into the block."
    else:
        source = f"a branch of `with If`{at}, which may not run"
        hint = (
            f"Choose between the branches with `OneOf({ref.output}, other)`, where `other` is a result "
            "in Else; or move the call into the branch."
        )
    step = nesting.tasks[ref.task].step.name
    yield Problem(f"{what} takes `{ref.output}` of step `{step}` from {source}", hint, where)


def _collected(
    nesting: Nesting, around: set[str], expr: graph.Collected, what: str, where: Where | None
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
        yield Problem(
            f"{what} collects from a loop inside `with If`{at_line(left[0])}, from outside of that block",
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
    left = _left(nesting, around, expr.switch)
    if left:
        yield Problem(
            f"{what} takes a OneOf from inside another block{at_line(left[0])}",
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

    Groups are no borders: a nested pipeline is only a way to write steps down. Nor is the body of
    an exit handler, which runs once.
    """
    found = (nesting.blocks[id] for id in nesting.around(source) if id not in around)
    return [block for block in found if not isinstance(block, (graph.Group, ExitScope))]


def _waits(nesting: Nesting, around: set[str], task: Task) -> Iterator[Problem]:
    """``after`` may name what is in a loop or under an exit handler, but not in a branch."""
    for id in task.after:
        left = _left(nesting, around, id)
        if any(isinstance(block, (graph.Switch, graph.Branch)) for block in left[:1]):
            yield Problem(
                f"step `{task.step.name}` waits for a step in a branch of `with If`{at_line(left[0])}, "
                "which may not run",
                "Put this call into the branch, too, or let it take a OneOf of the branches' results.",
                task.where,
            )


def _of_handlers(nesting: Nesting, task: Task) -> Iterator[Problem]:
    taken = [*chain(*(value.sources() for value in task.arguments.values())), *task.after]
    if task.id in nesting.handlers and taken:
        yield Problem(
            f"the exit handler `{task.step.name}` takes values of other steps, or waits for them",
            "A handler runs whatever became of the steps, so it may take constants and pipeline "
            "parameters only, and a parameter annotated with FinalStatus.",
            task.where,
        )
    elif not nesting.handlers.keys().isdisjoint(taken):
        yield Problem(
            f"step `{task.step.name}` takes the result of an exit handler, or waits for it",
            "A handler runs last; do this in the handler itself.",
            task.where,
        )


def _scope(nesting: Nesting, scope: ExitScope) -> Iterator[Problem]:
    outer = [nesting.blocks[id] for id in nesting.around(scope.id)]
    if outer:
        names: dict[type, str] = {
            Loop: "with ParallelFor",
            ExitScope: "with ExitHandler",
            graph.OnePod: "with Together",
        }
        name = names.get(type(outer[0]), "with If")
        if type(outer[0]) is graph.Group:
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
        if any(value == graph.StatusRef("") for value in task.arguments.values()):
            yield Problem(
                f"step `{task.step.name}` asks for a FinalStatus, but it is no exit handler",
                f"Write `with ExitHandler({task.step.name}(...)):` around the steps that it is for.",
                task.where,
            )
