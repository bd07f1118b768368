"""Recording one call of a step: its arguments, its options, what it returns to the body."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace import Trace
from kalelite.authoring.trace.after import wait_for
from kalelite.authoring.trace.binding import misfit
from kalelite.authoring.trace.draft import TaskDraft
from kalelite.authoring.trace.expressions import to_expr
from kalelite.authoring.trace.proxies import OutputProxy, ValueProxy
from kalelite.authoring.trace.refs import Poison
from kalelite.plan.graph import Expr, Pack, StatusRef
from kalelite.plan.status import FinalStatus
from kalelite.plan.types.hints import hints_of, returns_of
from kalelite.source import locations as places

if TYPE_CHECKING:
    from kalelite.authoring.step import Step

__all__ = ["record"]


def record(
    trace: Trace, step: Step[..., Any], args: Any, kwargs: dict[str, Any], frame: FrameType
) -> OutputProxy | Poison:
    """The task of one call; what the call returns."""
    definition = step.definition
    trace.adopt(step.problems)
    where = places.of_frame(frame)
    signature = definition.signature
    waits = list(step.waits)
    if "after" in kwargs and "after" not in signature.parameters:
        waits.append(kwargs.pop("after"))
    hints = hints_of(definition.function)
    draft = TaskDraft(
        id=trace.new_id(trace.slug_of(step.name, definition)),
        step=definition,
        arguments={},
        returns=returns_of(definition.function),
        use=trace.use_at(frame),
        options=trace.options_for(definition, step.call_options, where),
        parent=trace.parent,
        where=where,
    )
    try:
        if FinalStatus in hints.values():
            kwargs = {**_status(trace, hints, signature, args), **kwargs}
        bound = step.binder.bind(args, kwargs)
    except TypeError as error:
        # What is wrong with the step, or with what was spread, may be what is wrong with the call.
        if step.problems or trace.has_problem("spread", where):
            return Poison(trace)
        wrong, meant = misfit(signature, kwargs, error)
        defined = f"It is defined as `{definition.name}{_spelled(signature)}`"
        if definition.where:
            same = definition.where.file == where.file
            defined += f" at {f'line {definition.where.line}' if same else definition.where}"
        trace.problem(
            "arguments",
            f"step `{step.name}` cannot be called like this: {wrong}",
            f"{meant} {defined}.".lstrip(),
            where=where,
        )
        return Poison(trace)
    for name, value in bound.items():
        if isinstance(value, FinalStatus):
            trace.problem(
                "status",
                f"step `{step.name}` is given a FinalStatus; only a run can tell one",
                "Leave it out of the call: the handler receives it.",
                where=where,
            )
        draft.arguments[name] = _argument(trace, signature.parameters[name].kind, name, value)
    if waits:
        draft.after.extend(wait_for(trace, waits, draft))
    trace.add(draft)
    return OutputProxy(trace, draft)


def _status(
    trace: Trace, hints: Mapping[str, Any], signature: inspect.Signature, args: Any
) -> dict[str, Any]:
    """Stand-ins for the parameters annotated with `FinalStatus`, which no call passes."""
    return {
        name: ValueProxy(trace, StatusRef(""), "the final status")
        for position, name in enumerate(signature.parameters)
        if hints.get(name) is FinalStatus and position >= len(args)
    }


def _argument(trace: Trace, kind: Any, name: str, value: Any) -> Expr:
    if kind is kind.VAR_POSITIONAL:
        items = (to_expr(trace, item, f"*{name}") for item in value)
        return Pack(tuple, tuple(items))
    if kind is kind.VAR_KEYWORD:
        items = (to_expr(trace, item, f"argument `{key}`") for key, item in value.items())
        return Pack(dict, tuple(items), tuple(value))
    return to_expr(trace, value, f"argument `{name}`")


def _spelled(signature: inspect.Signature) -> str:
    text = str(signature)
    return text if len(text) <= 120 else f"({', '.join(signature.parameters)})"
