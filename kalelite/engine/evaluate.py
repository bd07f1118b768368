"""What an expression stands for once the tasks that it needs have run."""

from __future__ import annotations

from typing import Any

from kalelite.engine.results import ResultsView
from kalelite.errors import StepError
from kalelite.plan import graph
from kalelite.plan.comparisons import COMPARISONS


def evaluate(expr: graph.Expr, view: ResultsView) -> Any:
    """The Python value of an expression.

    Raises `MissingError` if a task that it needs has no outcome to give, `StepError` where Python
    refuses a comparison or a selection.
    """
    match expr:
        case graph.Constant(value):
            return value
        case graph.ParameterRef(name, path):
            return _select(view.parameter(name), path, name)
        case graph.ItemRef(loop, path):
            return _select(view.item(loop), path, "the item")
        case graph.OutputRef(task, path=path):
            return _select(view.output(expr), path, task)
        case graph.Collected():
            return view.collected(expr)
        case graph.OneOf():
            return evaluate(view.choice(expr), view)
        case graph.Pack(kind, items, keys):
            return _pack(kind, [evaluate(item, view) for item in items], keys)
    return _condition(expr, view)


def _condition(expr: graph.Expr, view: ResultsView) -> bool:
    match expr:
        case graph.Compare(op, left, right):
            return _compare(op, evaluate(left, view), evaluate(right, view))
        case graph.AllOf(operands):
            return all(evaluate(operand, view) for operand in operands)
        case graph.AnyOf(operands):
            return any(evaluate(operand, view) for operand in operands)
        case graph.Negation(operand):
            return not evaluate(operand, view)
    raise StepError(f"{type(expr).__name__} has no value here")


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
