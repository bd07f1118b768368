"""The texts in a picture: expressions, blocks, options and problems, each in few characters."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from kalelite.errors import Problem
from kalelite.plan import graph
from kalelite.plan.options import STEP_OPTIONS, StepOptions, duration
from kalelite.plan.options.secrecy import secret_reason, secrets_in
from kalelite.plan.types.hints import UNKNOWN, spell

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 40
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 4
_short.maxlevel = 3


def clip(text: str, width: float, measure: Callable[[str], float] = len) -> str:
    """The text, cut with an ellipsis where it would be wider."""
    if measure(text) <= width:
        return text
    while text and measure(text + "…") > width:
        text = text[:-1]
    return text + "…"


def first_line(text: str) -> str:
    """The first line of a docstring."""
    return text.strip().partition("\n")[0]


def marks(problems: Sequence[int]) -> str:
    """The numbers of problems, behind the name of what they are about."""
    return "".join(f"  ✗{number}" for number in problems)


def problem_text(problem: Problem) -> str:
    """A problem with its place."""
    return f"{problem.where}: {problem.message}" if problem.where else problem.message


def constant(value: Any) -> str:
    """A value in a few characters, on one line; a failing ``__repr__`` shows the type."""
    try:
        text = _short.repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return clip(" ".join(text.split()), 60)


def expression(expr: graph.Expr) -> str:
    """An expression as a user would read it: ``train.score > 0.9``."""
    write = _WRITERS.get(type(expr))
    return write(expr) if write is not None else "…"


def _joined(expr: graph.AllOf | graph.AnyOf) -> str:
    parts = [expression(part) for part in expr.operands]
    joint = " and " if isinstance(expr, graph.AllOf) else " or "
    return joint.join(f"({part})" if " and " in part or " or " in part else part for part in parts)


def _pack(expr: graph.Pack) -> str:
    shown = [expression(item) for item in expr.items]
    if expr.type is dict:
        shown = [f"{constant(key)}: {item}" for key, item in zip(expr.keys, shown, strict=False)]
    if len(shown) > 4:
        shown = [*shown[:3], f"… {len(shown) - 3} more"]
    left, right = "{}" if expr.type is dict else "[]" if expr.type is list else "()"
    return f"{left}{', '.join(shown)}{right}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    graph.Constant: lambda expr: constant(expr.value),
    graph.ParameterRef: lambda expr: expr.name + graph.subscripts(expr.path),
    graph.OutputRef: lambda expr: f"{expr.task}.{expr.output}{graph.subscripts(expr.path)}",
    graph.ItemRef: lambda expr: "item" + graph.subscripts(expr.path),
    graph.Collected: lambda expr: f"all {expression(expr.source)}",
    graph.OneOf: lambda expr: " or ".join(dict.fromkeys(map(expression, expr.choices))),
    graph.StatusRef: lambda _: "how it ended",
    graph.Pack: _pack,
    graph.Compare: lambda expr: f"{expression(expr.left)} {expr.op} {expression(expr.right)}",
    graph.AllOf: _joined,
    graph.AnyOf: _joined,
    graph.Negation: lambda expr: f"not ({expression(expr.operand)})",
}


def block_title(block: graph.Block, *, first: bool = True) -> str:
    """The title of a block's frame. ``first`` is whether a branch is the first of its switch."""
    match block:
        case graph.Branch(condition=None):
            return "else"
        case graph.Branch(condition=graph.Expr() as condition):
            return f"{'if' if first else 'elif'} {expression(condition)}"
        case graph.Loop(items=items, parallelism=parallelism):
            limit = f", {parallelism} at once" if parallelism else ""
            return f"for each item of {expression(items)}{limit}"
        case graph.ExitScope(handler=handler):
            return f"whatever happens here, then {handler}" if handler else "whatever happens"
        case graph.Group(id=id, name=name):
            return name or id
    return ""


def parameter_list(plan: graph.Plan, separator: str = ", ") -> str:
    """The parameters as in ``rows: int = 100, kind='forest'``."""
    return separator.join(map(_parameter, plan.parameters))


def _parameter(parameter: graph.Parameter) -> str:
    kind = "" if parameter.type in (None, UNKNOWN) else f": {spell(parameter.type)}"
    shown = (
        "•••" if any(secrets_in(parameter.name, parameter.default)) else constant(parameter.default)
    )
    default = "" if parameter.default is graph.REQUIRED else f" = {shown}"
    return f"{parameter.name}{kind}{default if kind else default.replace(' ', '')}"


def badges(task: graph.Task) -> tuple[str, ...]:
    """The options that change how the task runs, each as a few characters."""
    given = task.options.explicit()
    found = ["container"] if isinstance(task.step, graph.ContainerDef) else []
    found += [
        option.badge(given[option.name])
        for option in STEP_OPTIONS
        if option.badge and option.name in given
    ]
    return tuple(badge for badge in found if badge)


def option_list(options: StepOptions) -> list[tuple[str, str]]:
    """Every option that was given, with its value as text."""
    return [
        (name, _value(name, value)) for name, value in options.explicit().items() if name != "name"
    ]


def _value(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name == "timeout":
        return duration.spell(value)
    if isinstance(value, Mapping):
        return ", ".join(
            f"{key}={_entry(key, entry) if isinstance(entry, str) else constant(entry)}"
            for key, entry in value.items()
        )
    if isinstance(value, tuple):
        return ", ".join(_value("", entry) for entry in value)
    if is_dataclass(value):
        pairs = ((item, getattr(value, item.name)) for item in fields(value))
        return " ".join(
            f"{item.name}={_value('', entry)}" for item, entry in pairs if entry != item.default
        )
    return constant(value)


def _entry(name: str, text: str) -> str:
    """An entry of a mapping, as of ``env``; one that looks like a secret is not shown."""
    return "•••" if secret_reason(name, text) else text
