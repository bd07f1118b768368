"""A plan rewritten so that KFP can do each of its parts.

What KFP cannot do itself becomes a small task of its own (its function is one of
`kalelite.backends.kubeflow.pod.builtin_steps`):

- a condition with ``and``, ``or``, ``not``, or on a part of a value: a task that decides it;
- loop items that no task gives as a list of their own: a task that makes the list;
- values that KFP cannot hand on: `kalelite.backends.kubeflow.compile.rewriting`;
- files of containers: `kalelite.backends.kubeflow.compile.container_calls`.

Constant loop items that KFP would change or that do not belong into a YAML file stay in the
bundle, and the loop goes over their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from kalelite.backends.kubeflow.compile.container_calls import Call, call_of
from kalelite.backends.kubeflow.compile.left_switches import bare_branches, left_switches, lone_of
from kalelite.backends.kubeflow.compile.native_values import element_type, native_type, plain_items
from kalelite.backends.kubeflow.compile.rewriting import Rewriting
from kalelite.backends.kubeflow.compile.tolerance import Tolerance, with_elses
from kalelite.backends.kubeflow.pod import builtin_steps
from kalelite.frozen import frozen
from kalelite.plan import graph
from kalelite.plan.order import ROOT, Scopes, in_call_order


@frozen
class Lowered:
    """The rewritten plan.

    ``numbered`` holds the items of loops that go over numbers; ``added`` are the tasks that
    stand for something in the user's plan that is no task. ``calls`` is how each container is
    called, ``writers`` the tasks that write files for them. ``elses`` is the task of each ``Else``
    that was added, by its ``If``; ``verdict`` the task that tells KFP of failures, empty for none.
    ``borders`` are why tasks and blocks that might share the pod of what is before them do not.
    ``carries``: values travel as artifacts of KFP, which collects them from the ``collected`` loops,
    of those that only the run knows the items of.
    """

    plan: graph.Plan
    numbered: Mapping[str, tuple[Any, ...]]
    added: frozenset[str]
    calls: Mapping[str, Call]
    writers: frozenset[str]
    elses: Mapping[str, str]
    verdict: str
    borders: Mapping[str, str] = field(default_factory=dict)
    carries: bool = False
    collected: frozenset[str] = frozenset()


def lower(plan: graph.Plan, *, carries: bool = False) -> Lowered:
    """Rewrite a checked plan."""
    scopes = Scopes(plan)
    tolerance = Tolerance(scopes)
    left = left_switches(scopes, every=bool(tolerance.hidden)) if carries else set()
    added = tuple(with_elses(plan, tolerance.lone | lone_of(scopes, left)))
    plan = replace(plan, blocks=(*plan.blocks, *added))
    rewriting = Rewriting(plan, carries=carries)
    nothing = {"value": graph.Constant(None)}
    elses = {
        branch.parent: rewriting.add(branch.id, builtin_steps.same, nothing, branch.id).task
        for branch in added
    }
    for block in plan.blocks:
        if isinstance(block, graph.Loop) and isinstance(block.items, graph.Constant):
            items = tuple(block.items.value)
            if not items:
                rewriting.empty.add(block.id)
            elif not plain_items(items):
                rewriting.numbered[block.id] = items
    calls: dict[str, Call] = {}
    tasks = [_task(task, rewriting, calls) for task in plan.tasks if not _gone(task, rewriting)]
    result = None if plan.result is None else rewriting.rewrite(plan.result, ROOT)
    for branch in bare_branches([*tasks, *rewriting.added], plan, left):
        if not _gone(rewriting.blocks[branch], rewriting):
            rewriting.add(branch, builtin_steps.same, nothing, branch)
    filled = _filled(tasks, rewriting)
    blocks = tuple(_block(block, rewriting) for block in plan.blocks if block.id in filled)
    # The tasks added here have no part in the order of the calls.
    ordered = in_call_order(
        replace(plan, tasks=tuple(tasks), blocks=blocks),
        {ROOT} if plan.options.order == "calls" else (),
    )
    tasks = [_waiting(task, filled, rewriting) for task in ordered.tasks]
    options = replace(plan.options, order="data")
    tasks += rewriting.added
    verdict = ""
    if tolerance.hidden:
        verdict = rewriting.add("outcome", builtin_steps.same, nothing, ROOT).task
        after = tuple(id for id in tolerance.roots if id in filled or id in rewriting.tasks)
        tasks.append(replace(rewriting.tasks[verdict], after=after))
    lowered = replace(plan, tasks=tuple(tasks), blocks=blocks, result=result, options=options)
    made = frozenset(task.id for task in rewriting.added)
    writers = frozenset(rewriting.writers)
    return Lowered(
        lowered,
        rewriting.numbered,
        made,
        calls,
        writers,
        elses,
        verdict,
        carries=carries,
        collected=frozenset(rewriting.collected),
    )


def _gone(item: graph.Task | graph.Block, plan: Rewriting) -> bool:
    """Whether a task or block is, or stands in, a loop over nothing."""
    block = item.parent if isinstance(item, graph.Task) else item.id
    while block:
        if block in plan.empty:
            return True
        block = plan.blocks[block].parent
    return False


def _task(task: graph.Task, plan: Rewriting, calls: dict[str, Call]) -> graph.Task:
    if isinstance(task.step, graph.ContainerDef):
        call = calls[task.id] = call_of(task, task.step, plan)
        return replace(task, arguments=call.arguments, after=(*task.after, *call.after))
    arguments = {name: plan.rewrite(expr, task.parent) for name, expr in task.arguments.items()}
    return replace(task, arguments=arguments)


def _waiting(task: graph.Task, filled: set[str], plan: Rewriting) -> graph.Task:
    """The task without waits for what is not compiled."""
    places = {id: plan.tasks[id].parent if id in plan.tasks else id for id in task.after}
    return replace(task, after=tuple(id for id, place in places.items() if place in filled))


def _filled(tasks: Iterable[graph.Task], plan: Rewriting) -> set[str]:
    """The blocks to compile, for kfp takes no block without a task.

    A loop over nothing may have emptied the blocks around it: those go, too, except for a
    branch beside one that is left, and a scope whose exit handler has to run.
    """
    filled = {ROOT}

    def fill(block: str) -> None:
        while block not in filled:
            filled.add(block)
            block = plan.blocks[block].parent

    for task in (*tasks, *plan.added):
        fill(task.parent)
    for block in plan.plan.blocks:
        is_branch = isinstance(block, graph.Branch) and block.parent in filled
        if block.id in filled or not (is_branch or isinstance(block, graph.ExitScope)):
            continue
        if not _gone(block, plan):
            fill(block.id)
            nothing = {"value": graph.Constant(None)}
            plan.add(f"{block.id}-empty", builtin_steps.same, nothing, block.id)
    return filled


def _block(block: graph.Block, plan: Rewriting) -> graph.Block:
    if isinstance(block, graph.Branch) and block.condition is not None:
        return replace(block, condition=_condition(block, block.condition, plan))
    if isinstance(block, graph.Loop):
        return replace(block, items=_items(block, plan))
    return block


def _condition(branch: graph.Branch, condition: graph.Expr, plan: Rewriting) -> graph.Expr:
    """A comparison that KFP can make, of the user's values or of a task's answer."""
    outside = plan.blocks[branch.parent].parent
    condition = plan.rewrite(condition, outside)
    if not plan.leaves(condition, outside):
        if isinstance(condition, graph.OutputRef) and plan.type_of(condition) == "bool":
            return graph.Compare("==", condition, graph.Constant(True))
        if isinstance(condition, graph.Compare) and _is_simple(condition, plan):
            return condition
    leaves: list[graph.Expr] = []
    tree = _tree(condition, leaves)
    arguments = {"tree": graph.Constant(tree), "values": graph.Pack(list, tuple(leaves))}
    output = graph.Output("output", native="bool")
    name = f"{branch.id}-condition"
    answer = plan.add(name, builtin_steps.decide, arguments, outside, output)
    return graph.Compare("==", answer, graph.Constant(True))


def _is_simple(compare: graph.Compare, plan: Rewriting) -> bool:
    """Whether KFP compares the two as Python does."""
    left, right = plan.type_of(compare.left), plan.type_of(compare.right)
    if left is None or right is None:
        return False
    if isinstance(compare.left, graph.Constant) and isinstance(compare.right, graph.Constant):
        return False
    numbers = ("int", "float")
    if left in numbers and right in numbers:
        return True
    return left == right and (left == "str" or compare.op in ("==", "!="))


def _items(loop: graph.Loop, plan: Rewriting) -> graph.Expr:
    """Items that KFP can loop over."""
    items = loop.items
    if loop.id in plan.numbered:
        return graph.Constant(tuple(range(len(plan.numbered[loop.id]))))
    if isinstance(items, graph.Constant):
        return graph.Constant(tuple(items.value))
    # How many batches there are is told by the task that gives the items.
    # It also tells where there are none, of which KFP cannot collect artifacts.
    asked = loop.per_pod or loop.id in plan.collected
    if isinstance(items, graph.ParameterRef) and not items.path and not asked:
        parameter = plan.parameters[items.name]
        # Items of any other type would change on their way through KFP.
        is_plain = element_type(parameter.type) in ("int", "float", "str")
        if is_plain and native_type(parameter) == "list":
            return items
    if (
        isinstance(items, graph.OutputRef)
        and not items.path
        and not plan.leaves(items, loop.parent)
        and isinstance(plan.tasks[items.task].step, graph.StepDef)
        and plan.tasks[items.task].output(items.output).native == "list"
    ):
        return items
    arguments = {"value": plan.rewrite(items, loop.parent)}
    output = graph.Output("output", native="list")
    return plan.add(f"{loop.id}-items", builtin_steps.items, arguments, loop.parent, output)


def _tree(expr: graph.Expr, leaves: list[graph.Expr]) -> list[Any]:
    """A condition as nested lists, with the numbers of its values among the leaves."""
    match expr:
        case graph.Compare(op=op):
            kind = op
        case graph.AllOf():
            kind = "and"
        case graph.AnyOf():
            kind = "or"
        case graph.Negation():
            kind = "not"
        case _:
            leaves.append(expr)
            return ["value", len(leaves) - 1]
    return [kind, *(_tree(child, leaves) for child in expr.children())]
