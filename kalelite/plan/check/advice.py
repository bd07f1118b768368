"""What a user should know of a plan that is right: it runs, but perhaps not as it was meant."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kalelite.plan.check.changed_globals import changed_globals
from kalelite.plan.check.secret_parameters import instead_of, secrecy_of
from kalelite.plan.graph import Plan, StepDef
from kalelite.source.locations import definition_of, returns_in


def advice(plan: Plan, values: Mapping[str, Any], *, apart: bool = True) -> Iterator[str]:
    """A line for each thing.

    ``values`` are those of the plan's parameters where they are not the defaults; ``apart`` says
    that steps run in processes of their own.
    """
    for parameter in plan.parameters:
        reason = secrecy_of(parameter, values.get(parameter.name, parameter.default))
        if reason:
            yield (
                f"Parameter `{parameter.name}` {reason}: here its value is in no record, but for Kubeflow, "
                f"which would show it, it is refused. {instead_of(parameter)}"
            )
    yield from _forgotten_returns(plan)
    if apart:
        yield from changed_globals(plan)


def _forgotten_returns(plan: Plan) -> Iterator[str]:
    """Steps that return nothing, and whose result is taken by another one."""
    takers: dict[str, str] = {}
    for task in plan.tasks:
        for value in task.arguments.values():
            takers.update({output.task: task.step.name for output in value.outputs()})
    known: set[Callable[..., Any]] = set()
    for task in plan.tasks:
        step = task.step
        if isinstance(step, StepDef) and task.id in takers and step.function not in known:
            known.add(step.function)
            if _returns_nothing(inspect.unwrap(step.function)):
                yield (
                    f"Step `{step.name}` ({step.where}) returns nothing, and `{takers[task.id]}` takes its "
                    "result: is a `return` missing?"
                )


def _returns_nothing(function: Callable[..., Any]) -> bool:
    """Whether a function ends, always without a value, and no `return` says so."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        return False
    before, returned = None, False
    for each in dis.get_instructions(code):
        if each.opname in {"RETURN_VALUE", "RETURN_CONST"}:
            last = each if each.opname == "RETURN_CONST" else before
            if last is None or last.argval is not None or "CONST" not in last.opname:
                return False
            returned = True
        before = each
    node = definition_of(function)
    return returned and node is not None and not any(returns_in(node))
