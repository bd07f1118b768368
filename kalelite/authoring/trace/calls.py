"""Recording one call of a step: its arguments, its options, what it returns to the body."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace.arguments import to_expr, wait_for
from kalelite.authoring.trace.binding import misfit
from kalelite.authoring.trace.proxies import OutputProxy, ValueProxy
from kalelite.authoring.trace.refs import Poison
from kalelite.authoring.trace.tracing import Trace, current
from kalelite.plan.graph import ContainerDef, Expr, Pack, StatusRef, StepDef
from kalelite.plan.status import FinalStatus
from kalelite.plan.types.hints import Returns, hints_of, returns_of

if TYPE_CHECKING:
    from kalelite.authoring.callable_step import CallableStep
    from kalelite.authoring.trace.draft import TaskDraft
    from kalelite.errors import Where


def record(
    step: CallableStep, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> OutputProxy | Poison | None:
    """Add the task of the call that the frame is making; what the call returns.

    None means that no pipeline's body is running here.
    """
    trace = current()
    if trace is None:
        return None
    definition = step.definition
    signature = step.binder.signature
    trace.adopt(step.problems)
    waits = list(step.waits)
    if "after" in kwargs and "after" not in signature.parameters:
        waits.append(kwargs.pop("after"))
    draft = trace.draft(step, _returns(definition), frame)
    try:
        if isinstance(definition, StepDef):
            kwargs = {**_status(trace, definition, args), **kwargs}
        bound = step.binder.bind(args, kwargs)
    except TypeError as error:
        # What is wrong with the step, or with what was spread, may be what is wrong with the call.
        if not step.problems and not trace.has_problem("spread", draft.where):
            _note_misfit(trace, step, misfit(signature, kwargs, error), draft.where)
        return Poison(trace)
    _take(trace, step, draft, bound)
    if waits:
        draft.after.extend(wait_for(trace, waits, draft))
    trace.tasks.append(draft)
    if isinstance(definition, StepDef):
        return OutputProxy(trace, draft)
    for index in range(len(definition.outputs)):
        draft.part(index)
    return OutputProxy(trace, draft, 0 if len(definition.outputs) == 1 else None)


def _take(trace: Trace, step: CallableStep, draft: TaskDraft, bound: Mapping[str, Any]) -> None:
    """Take in the arguments of a call."""
    for name, value in bound.items():
        draft.arguments[name] = _argument(trace, step, name, value)
    for problem in step.misuse(draft.arguments):
        trace.problem(problem.message, problem.message, problem.hint, where=draft.where)


def _returns(definition: StepDef | ContainerDef) -> Returns:
    if isinstance(definition, StepDef):
        return returns_of(definition.function)
    outputs = definition.outputs
    return Returns(
        hint=tuple if outputs else type(None),
        items=tuple(output.type for output in outputs.values()) or None,
        fields=tuple(outputs) or None,
    )


def _status(trace: Trace, definition: StepDef, args: tuple[Any, ...]) -> dict[str, Any]:
    """Stand-ins for the parameters annotated with `FinalStatus`, which no call passes."""
    hints = hints_of(definition.function)
    if FinalStatus not in hints.values():
        return {}
    return {
        name: ValueProxy(trace, StatusRef(""), "the final status")
        for position, name in enumerate(definition.signature.parameters)
        if hints.get(name) is FinalStatus and position >= len(args)
    }


def _note_misfit(
    trace: Trace, step: CallableStep, misfit: tuple[str, str], where: Where | None
) -> None:
    """Note that the call does not fit the step, and how the step is defined."""
    definition = step.definition
    wrong, meant = misfit
    if isinstance(definition, ContainerDef):
        kind, defined = "container step", f"It takes {step.binder.signature}"
    else:
        kind = "step"
        defined = f"It is defined as `{definition.name}{_spelled(definition.signature)}`"
        if definition.where and where:
            same = definition.where.file == where.file
            defined += f" at {f'line {definition.where.line}' if same else definition.where}"
    trace.problem(
        "arguments",
        f"{kind} `{step.name}` cannot be called like this: {wrong}",
        f"{meant} {defined}.".lstrip(),
        where=where,
    )


def _argument(trace: Trace, step: CallableStep, name: str, value: Any) -> Expr:
    kind = step.binder.signature.parameters[name].kind
    if kind is kind.VAR_POSITIONAL:
        items = (to_expr(trace, item, f"*{name}") for item in value)
        return Pack(tuple, tuple(items))
    if kind is kind.VAR_KEYWORD:
        items = (to_expr(trace, item, f"argument `{key}`") for key, item in value.items())
        return Pack(dict, tuple(items), tuple(value))
    if type(value) is FinalStatus:
        trace.problem(
            "status",
            f"step `{step.name}` is given a FinalStatus; only a run can tell one",
            "Leave it out of the call: the handler receives it.",
        )
    return to_expr(trace, value, f"argument `{name}`")


def _spelled(signature: inspect.Signature) -> str:
    text = str(signature)
    return text if len(text) <= 120 else f"({', '.join(signature.parameters)})"
