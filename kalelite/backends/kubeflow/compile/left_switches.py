"""The branches of which a value is read outside, where values travel as artifacts.

KFP fails a task that takes an artifact of a branch that was not taken. So there is an ``Else``, and
a task in each branch that has something to give in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kalelite.plan.graph import Branch, Plan, StepDef, Task
from kalelite.plan.order import Scopes, expressions


def left_switches(scopes: Scopes, *, every: bool) -> set[str]:
    """Conditions with a branch that holds what a task outside reads; ``every``: all of them."""
    switches = {id for id in scopes.blocks if scopes.is_switch(id)}
    if every:
        return switches
    reads = [(id, expr) for id, task in scopes.tasks.items() for expr in task.arguments.values()]
    reads += [(id, expr) for id, block in scopes.blocks.items() for expr in expressions(block)]
    return {
        block
        for id, expr in reads
        for ref in expr.outputs()
        for block in set(scopes.around(ref.task)) - set(scopes.around(id))
        if block in switches
    }


def lone_of(scopes: Scopes, switches: set[str]) -> set[str]:
    """Those that have no ``Else``."""
    return {
        id
        for id in switches
        if all(_condition(scopes, branch) is not None for branch in scopes.children[id])
    }


def _condition(scopes: Scopes, branch: str) -> object:
    block = scopes.blocks[branch]
    return block.condition if isinstance(block, Branch) else None


def bare_branches(tasks: Iterable[Task], plan: Plan, switches: set[str]) -> Iterator[str]:
    """The branches of these conditions without a Python task right in them."""
    filled = {task.parent for task in tasks if isinstance(task.step, StepDef)}
    for block in plan.blocks:
        if isinstance(block, Branch) and block.parent in switches and block.id not in filled:
            yield block.id
