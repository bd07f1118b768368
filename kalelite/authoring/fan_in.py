"""Values that leave a block: `Collected` from a loop, `OneOf` from the branches of a switch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kalelite.authoring.trace.block import trace_of
from kalelite.authoring.trace.proxies import OutputProxy, ValueProxy
from kalelite.authoring.trace.refs import Poison, Ref
from kalelite.plan import graph
from kalelite.plan.graph import Block, Branch, Loop
from kalelite.source import locations as places

if TYPE_CHECKING:
    from kalelite.authoring.trace.tracing import Trace
    from kalelite.errors import Where

T = TypeVar("T")


def Collected(value: T) -> list[T]:
    """All values that a result of a step in a `ParallelFor` has, in the order of the items.

    Parameters
    ----------
    value
        A result of a step inside the loop. Used outside of two loops, it is a list of lists.
    """
    where = places.of_frame(sys._getframe(1))
    trace = trace_of("Collected", where)
    source: Any = value
    if isinstance(source, Poison):
        return cast("list[T]", source)
    if not isinstance(source, OutputProxy) or source._k_trace is not trace:
        what = source._k_phrase() if isinstance(source, Ref) else f"{source!r:.60}"
        message, hint = f"Collected gathers results of steps, not {what}", _COLLECT
        if isinstance(source, ValueProxy) and isinstance(source._k_value, graph.OneOf):
            hint = "Let a step in the loop take the OneOf, and collect the result of that step."
        return cast("list[T]", _refuse(trace, where, message, hint))
    blocks = {block.id: block for block in trace.blocks}
    around = _around(blocks, source._k_draft.parent)
    loops = [id for id in around if isinstance(blocks[id], Loop)]
    left = tuple(id for id in loops if id not in trace.parents)
    if not left:
        step, home = source._k_draft.step.name, "the same loop" if loops else "no loop"
        message = f"Collected is used where there is nothing to collect: step `{step}` is called in {home}"
        return cast("list[T]", _refuse(trace, where, message))
    expr = graph.Collected(source._k_expr(), left)
    return cast("list[T]", ValueProxy(trace, expr, f"the collected values of {source._k_phrase()}"))


_COLLECT = (
    "Give it a result of a step inside `with ParallelFor(...)`, and use it outside of that block."
)


def _refuse(trace: Trace, where: Where, message: str, hint: str = _COLLECT) -> Poison:
    trace.problem("collected", message, hint, where=where)
    return Poison(trace)


def OneOf(*choices: T) -> T:
    """The value of whichever branch ran.

    Parameters
    ----------
    choices
        A result of a step for each branch of one `If` / `Elif` / `Else`, the `Else` included.
    """
    where = places.of_frame(sys._getframe(1))
    trace = trace_of("OneOf", where)
    if any(isinstance(choice, Poison) for choice in choices):
        return cast("T", Poison(trace))
    blocks = {block.id: block for block in trace.blocks}
    homes = [_branch(trace, blocks, choice) for choice in choices]
    switches = {home.parent for home in homes if home is not None}
    if not choices:
        wrong = "OneOf was given nothing to choose from"
    elif None in homes:
        number = homes.index(None)
        wrong = f"choice {number + 1} of OneOf is no result of a step called directly in a branch"
    elif len(switches) > 1:
        wrong = "the choices of OneOf come from branches of different Ifs"
    elif len(set(homes)) < len(homes):
        wrong = "two choices of OneOf come from the same branch"
    else:
        wrong = _branch_left_out(blocks, next(iter(switches)), homes)
    if wrong:
        hint = "Give it one result from each branch: `OneOf(from_if, from_else)`."
        trace.problem("one-of", wrong, hint, where=where)
        return cast("T", Poison(trace))
    exprs = tuple(cast("OutputProxy", choice)._k_expr() for choice in choices)
    expr = graph.OneOf(switches.pop(), exprs)
    return cast("T", ValueProxy(trace, expr, "the value of OneOf"))


def _branch(trace: Trace, blocks: dict[str, Block], choice: Any) -> Branch | None:
    """The branch that a result was made in."""
    if not isinstance(choice, OutputProxy) or choice._k_trace is not trace:
        return None
    for id in reversed(_around(blocks, choice._k_draft.parent)):
        block = blocks[id]
        if not isinstance(block, graph.Group):
            return block if isinstance(block, Branch) else None
    return None


def _branch_left_out(blocks: dict[str, Block], switch: str, homes: list[Branch | None]) -> str:
    branches = [b for b in blocks.values() if isinstance(b, Branch) and b.parent == switch]
    if all(branch.condition is not None for branch in branches):
        return "OneOf needs an Else: without it there may be no value"
    for branch in branches:
        if branch not in homes:
            return f"OneOf has no value for the branch at {branch.where}"
    return ""


def _around(blocks: dict[str, Block], id: str) -> list[str]:
    """The blocks that a block stands in and itself, outermost first."""
    found: list[str] = []
    while id:
        found.append(id)
        id = blocks[id].parent
    return found[::-1]
