"""What an expression stands for once the tasks that it needs have run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

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

__all__ = ["Bindings", "MissingError", "evaluate", "select"]


class MissingError(Exception):
    """An expression has no value: a task that it comes from did not run or did not succeed.

    ``task`` is that instance; ``failed`` is False where a branch was not taken.
    """

    def __init__(self, task: str, *, failed: bool) -> None:
        super().__init__(task)
        self.task = task
        self.failed = failed


class Bindings(Protocol):
    """What the names in an expression stand for, at one place of a running plan."""

    def parameter(self, name: str) -> Any: ...

    def item(self, loop: str) -> Any: ...

    def output(self, ref: OutputRef) -> Any:
        """The value of an output; raises MissingError."""

    def collected(self, expr: Collected) -> Any:
        """The values of an output in all iterations; raises MissingError."""

    def choice(self, expr: OneOf) -> Expr:
        """The choice of the branch that ran; raises MissingError."""


def evaluate(expr: Expr, bindings: Bindings) -> Any:
    """The Python value of an expression.

    Raises
    ------
    MissingError
        A task that it needs has no outcome to give.
    StepError
        The value cannot be computed: a comparison or a selection that Python refuses.
    """
    compute = _EVALUATE.get(type(expr))
    if compute is None:
        raise StepError(f"{type(expr).__name__} has no value here")
    return compute(expr, bindings)


def select(value: Any, path: tuple[str | int, ...], name: str) -> Any:
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


def _one_of(expr: OneOf, bindings: Bindings) -> Any:
    return evaluate(bindings.choice(expr), bindings)


_EVALUATE: dict[type[Expr], Callable[[Any, Bindings], Any]] = {
    Constant: lambda expr, _: expr.value,
    ParameterRef: lambda expr, bindings: select(
        bindings.parameter(expr.name), expr.path, expr.name
    ),
    ItemRef: lambda expr, bindings: select(bindings.item(expr.loop), expr.path, "the item"),
    OutputRef: lambda expr, bindings: select(bindings.output(expr), expr.path, expr.task),
    Collected: lambda expr, bindings: bindings.collected(expr),
    OneOf: _one_of,
    Pack: lambda expr, bindings: _pack(
        expr.type, [evaluate(item, bindings) for item in expr.items], expr.keys
    ),
    Compare: lambda expr, bindings: _compare(
        expr.op, evaluate(expr.left, bindings), evaluate(expr.right, bindings)
    ),
    AllOf: lambda expr, bindings: all(evaluate(operand, bindings) for operand in expr.operands),
    AnyOf: lambda expr, bindings: any(evaluate(operand, bindings) for operand in expr.operands),
    Negation: lambda expr, bindings: not evaluate(expr.operand, bindings),
}
