"""Threads that a pipeline's body starts: the steps that they call are lost to the plan."""

from __future__ import annotations

import _thread
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kalelite.authoring.trace.refs import Poison
from kalelite.errors import Problem, Where
from kalelite.source import locations as places

if TYPE_CHECKING:
    from kalelite.authoring.trace.tracing import Trace

_going_on: list[tuple[Trace, frozenset[int]]] = []
"""Every trace that goes on in this process, and the threads that there were when it began."""


@contextmanager
def watched(trace: Trace) -> Iterator[None]:
    """Know the threads that are started meanwhile as those of the trace."""
    entry = trace, frozenset(sys._current_frames())
    _going_on.append(entry)
    try:
        yield
    finally:
        _going_on.remove(entry)


def lost_call(step: str) -> Poison | None:
    """What a step returns in a thread that a pipeline's body has started; None in any other.

    The plan of that pipeline cannot hold the call, which is noted as a problem of it.
    """
    thread = _thread.get_ident()
    for trace, before in _going_on:
        if thread not in before:
            problem = Problem(
                f"step `{step}` is called in a thread, where the plan cannot follow it",
                "Call it in the body itself: steps that do not need each other run side by side.",
                _body_place(trace),
            )
            trace.problems.setdefault(("thread", step), problem)
            return Poison(trace)
    return None


def _body_place(trace: Trace) -> Where | None:
    """Where the body is, in its own thread."""
    bodies = trace.body_codes()
    for top in sys._current_frames().values():
        for frame, _ in traceback.walk_stack(top):
            if frame.f_code in bodies:
                return places.of_frame(frame)
    return None
