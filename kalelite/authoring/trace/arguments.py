"""From the arguments of a call to expressions of the plan, and to what ``after=`` waits for.

Outputs are found inside lists, tuples, NamedTuples and dicts. Everything else is a constant,
and is copied (`copy.deepcopy`), so that what the script does to it later does not change the
plan. What cannot be copied, such as a module, is taken as it is.
"""

from __future__ import annotations

import copy
import datetime as dt
import pathlib
import types
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace.block import ControlBlock
from kalelite.authoring.trace.misuse import HiddenRefError, subject
from kalelite.authoring.trace.refs import MARK, Poison, Ref
from kalelite.plan.graph import Constant, Expr, Pack

if TYPE_CHECKING:
    from kalelite.authoring.trace.draft import TaskDraft
    from kalelite.authoring.trace.tracing import Trace

_ATOMS = frozenset(
    {
        bool,
        bytes,
        complex,
        dt.date,
        dt.datetime,
        dt.timedelta,
        float,
        int,
        pathlib.PosixPath,
        range,
        type(None),
        types.BuiltinFunctionType,
        types.FunctionType,
    }
)
_CONTAINERS = (list, tuple, dict, set, frozenset)


def to_expr(trace: Trace, value: Any, label: str) -> Expr:
    """The expression for a value given to a step; ``label`` names the argument in problems."""
    kind = type(value)
    if kind in _ATOMS:
        return Constant(value)
    if kind is str:
        return Constant(_checked_text(trace, value, label))
    if isinstance(value, Ref):
        is_stale = value._k_trace is not trace and not isinstance(value, Poison)
        return Constant(value._k_note("stale")) if is_stale else value._k_expr()
    if kind is types.GeneratorType:
        trace.problem(
            "generator",
            f"{label} is a generator, which has not run",
            "Write a list: square brackets, or list(...) around it.",
        )
        return Constant(Poison(trace))
    try:
        return _of_container(trace, value, label)
    except RecursionError:
        trace.problem(
            "deep",
            f"{label} is nested too deeply, or holds itself",
            "Pass a flat value, or build the nested one inside a step.",
        )
        return Constant(Poison(trace))


def _of_container(trace: Trace, value: Any, label: str) -> Expr:
    kind = type(value)
    place = f"inside a {kind.__name__}, where the plan cannot follow it"
    if isinstance(value, _CONTAINERS) and _holds_ref(value):
        if kind is list or kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
            return Pack(kind, tuple(to_expr(trace, item, label) for item in value))
        if type(value) is dict and not any(isinstance(key, Ref) for key in value):
            items = tuple(to_expr(trace, item, label) for item in value.values())
            return Pack(dict, items, tuple(value))
        return _hidden(trace, label, "as a key of a dict" if kind is dict else place)
    trace.is_copying = True
    try:
        return Constant(copy.deepcopy(value))
    except HiddenRefError:
        return _hidden(trace, label, place)
    except RecursionError:
        raise
    except Exception:
        return Constant(value)
    finally:
        trace.is_copying = False


def _hidden(trace: Trace, label: str, place: str) -> Expr:
    trace.problem(
        "hidden",
        f"{label} has an output of a step {place}",
        "Pass the output as an argument of its own, or in a list, tuple or dict, and put it where it "
        "belongs inside the step.",
    )
    return Constant(Poison(trace))


def _holds_ref(value: Iterable[Any]) -> bool:
    """Whether a container holds an output at any depth."""
    items: Iterable[Any] = value
    if isinstance(value, dict):
        items = [*value, *value.values()]
    for item in items:
        kind = type(item)
        if kind in _ATOMS:
            continue
        if kind is str:
            if MARK in item:
                return True
        elif isinstance(item, Ref) or (isinstance(item, _CONTAINERS) and _holds_ref(item)):
            return True
    return False


def _checked_text(trace: Trace, text: str, label: str) -> str:
    if MARK in text and not trace.has_problem("text"):
        trace.problem(
            "text",
            f"{label} is a text made from an output that has no value yet",
            "Pass the output itself, and make the text inside the step.",
        )
    return text


def wait_for(trace: Trace, others: Iterable[Any], waiting: TaskDraft | None = None) -> list[str]:
    """Ids of the tasks and blocks behind results, lists of results and blocks.

    What is none of these is noted as a problem. ``waiting`` is the task that is to wait.
    """
    ids: list[str] = []
    for other in _items(others):
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


def _items(others: Iterable[Any]) -> Iterator[Any]:
    for other in others:
        if isinstance(other, (list, tuple, set)):
            yield from _items(other)
        else:
            yield other


def _ids(trace: Trace, other: Any) -> Iterator[str]:
    if other is None or isinstance(other, Poison):
        return
    if isinstance(other, Ref):
        if other._k_trace is not trace:
            other._k_note("stale")
            return
        waits = other._k_waits()
        if not waits:
            trace.problem(
                "after-value",
                f"{subject(other)} is no result of a step, so nothing can wait for it",
                "Name the result of the step that has to come before.",
            )
        yield from waits
    elif isinstance(other, ControlBlock) and other.block is not None:
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
