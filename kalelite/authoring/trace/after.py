# ruff: noqa: SLF001 - a stand-in's own names are private so that they hide none of the user's
"""What ``after=`` and ``.after()`` wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kalelite.authoring.trace import Trace
from kalelite.authoring.trace.draft import TaskDraft
from kalelite.authoring.trace.misuse import subject
from kalelite.authoring.trace.proxies import ValueProxy
from kalelite.authoring.trace.refs import Poison, Ref
from kalelite.plan.graph import Block, Expr, OneOf, OutputRef

__all__ = ["wait_for"]


def wait_for(trace: Trace, others: Iterable[Any], waiting: TaskDraft | None = None) -> list[str]:
    """Ids of the tasks and blocks behind results, lists of results and blocks.

    What is none of these is noted as a problem. ``waiting`` is the task that is to wait.
    """
    ids: list[str] = []
    for other in _flat(others):
        found = list(_ids(trace, other))
        if waiting is not None and waiting.id in found:
            trace.problem(
                "after-itself",
                f"step `{waiting.step.name}` cannot wait for itself",
                "Name the step that has to come before it.",
            )
            found = []
        ids.extend(found)
    return ids


def _flat(others: Iterable[Any]) -> Iterator[Any]:
    for other in others:
        if isinstance(other, (list, tuple, set)):
            yield from _flat(other)
        else:
            yield other


def _ids(trace: Trace, other: Any) -> Iterator[str]:
    from kalelite.authoring.control import ControlBlock

    if other is None or isinstance(other, Poison):
        return
    if isinstance(other, Ref):
        if other._k_trace is not trace:
            other._k_note("stale")
            return
        if isinstance(other, ValueProxy) and other._k_tasks:
            yield from other._k_tasks
            return
        tasks = list(dict.fromkeys(_tasks(other._k_peek())))
        if not tasks:
            trace.problem(
                "after-value",
                f"{subject(other)} is no result of a step, so nothing can wait for it",
                "Name the result of the step that has to come before.",
            )
        yield from tasks
    elif isinstance(other, ControlBlock) and isinstance(other.block, Block):
        if other.block.id in trace.parents:
            trace.problem(
                "after-around",
                "a step cannot wait for the end of the block that it stands in",
                "Move the call behind the block, or leave `after` out.",
            )
            return
        yield other.block.id
    elif callable(other) and isinstance(getattr(other, "name", None), str):
        trace.problem(
            "after-step",
            f"`after` was given the step `{other.name}` itself; it may be called more than once",
            f"Name the result of the call: `result = {other.name}(...)`, then `after=result`.",
        )
    else:
        trace.problem(
            "after-value",
            f"`after` waits for results of steps, not for {other!r:.60}",
            "Write `after=result` or `after=[one, other]` with what the calls returned.",
        )


def _tasks(expr: Expr) -> Iterator[str]:
    for part in expr.walk():
        if isinstance(part, OutputRef):
            yield part.task
        elif isinstance(part, OneOf):
            yield part.switch
