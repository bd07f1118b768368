"""What an expression stands for once the tasks that it needs have run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kalelite.engine.results import ResultsView
from kalelite.errors import StepError
from kalelite.plan.comparisons import COMPARISONS
from kalelite.plan.graph import (
    AllOf,
    AnyOf,
    Collected,
    Compare,
    Constant,
    Expr,
    ItemRef,
    Negation,
    OneOf,
    OutputRef,
    Pack,
    ParameterRef,
)

__all__ = ["evaluate"]


def evaluate(expr: Expr, view: ResultsView) -> Any:
    """The Python value of an expression.

    Raises `MissingError` if a task that it needs has no outcome to give, `StepError` where Python
    refuses a comparison or a selection.
    """
    compute = _EVALUATE.get(type(expr))
    if compute is None:
        raise StepError(f"{type(expr).__name__} has no value here")
    return compute(expr, view)


def _select(value: Any, path: tuple[str | int, ...], name: str) -> Any:
    """A part of a value, as ``ref["k"][0]`` selects it."""
    try:
        for key in path:
            value = value[key]
    except (KeyError, IndexError, TypeError) as error:
        raise StepError(f"{name} holds a {type(value).__name__} without {key!r}") from error
    return value


def _pack(kind: type, values: list[Any], keys: tuple[Any, ...]) -> Any:
    if kind is dict:
        return dict(zip(keys, values, strict=True))
    if kind in (list, tuple):
        return kind(values)
    return kind(*values)


def _compare(op: str, left: Any, right: Any) -> bool:
    try:
        return bool(COMPARISONS[op](left, right))
    except TypeError as error:
        kinds = f"{type(left).__name__} {op} {type(right).__name__}"
        raise StepError(f"a condition cannot compare {kinds}") from error


def _one_of(expr: OneOf, view: ResultsView) -> Any:
    return evaluate(view.choice(expr), view)


_EVALUATE: dict[type[Expr], Callable[[Any, ResultsView], Any]] = {
    Constant: lambda expr, _: expr.value,
    ParameterRef: lambda expr, view: _select(view.parameter(expr.name), expr.path, expr.name),
    ItemRef: lambda expr, view: _select(view.item(expr.loop), expr.path, "the item"),
    OutputRef: lambda expr, view: _select(view.output(expr), expr.path, expr.task),
    Collected: lambda expr, view: view.collected(expr),
    OneOf: _one_of,
    Pack: lambda expr, view: _pack(
        expr.type, [evaluate(item, view) for item in expr.items], expr.keys
    ),
    Compare: lambda expr, view: _compare(
        expr.op, evaluate(expr.left, view), evaluate(expr.right, view)
    ),
    AllOf: lambda expr, view: all(evaluate(operand, view) for operand in expr.operands),
    AnyOf: lambda expr, view: any(evaluate(operand, view) for operand in expr.operands),
    Negation: lambda expr, view: not evaluate(expr.operand, view),
}
