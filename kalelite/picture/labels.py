"""The words in a picture: expressions, blocks and options, each in few characters."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kalelite.plan.graph import (
    REQUIRED,
    AllOf,
    AnyOf,
    Block,
    Branch,
    Collected,
    Compare,
    Constant,
    ContainerDef,
    ExitScope,
    Expr,
    Group,
    ItemRef,
    Loop,
    Negation,
    OneOf,
    OutputRef,
    Pack,
    Parameter,
    ParameterRef,
    StatusRef,
    Task,
    subscripts,
)
from kalelite.plan.options import STEP_OPTIONS, StepOptions, duration
from kalelite.plan.types.hints import UNKNOWN, spell

__all__ = ["badges", "block_title", "expression", "option_list", "parameter_text", "task_title"]

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 40
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 4
_short.maxlevel = 3


def constant(value: Any) -> str:
    """A value in a few characters, on one line; a failing ``__repr__`` shows the type."""
    try:
        text = _short.repr(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ may do anything
        text = f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def expression(expr: Expr) -> str:
    """An expression as a user would read it: ``train.score > 0.9``."""
    write = _WRITERS.get(type(expr))
    return write(expr) if write is not None else "…"


def _operands(word: str) -> Callable[[Any], str]:
    def write(expr: Any) -> str:
        parts = (expression(part) for part in expr.operands)
        return f" {word} ".join(
            f"({part})" if " and " in part or " or " in part else part for part in parts
        )

    return write


def _pack(expr: Pack) -> str:
    if expr.type is dict:
        shown = [
            f"{constant(key)}: {expression(item)}"
            for key, item in zip(expr.keys, expr.items, strict=False)
        ]
    else:
        shown = [expression(item) for item in expr.items]
    if len(shown) > 4:
        shown = [*shown[:3], f"… {len(shown) - 3} more"]
    marks = "{}" if expr.type is dict else "[]" if expr.type is list else "()"
    return f"{marks[0]}{', '.join(shown)}{marks[1]}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    Constant: lambda expr: constant(expr.value),
    ParameterRef: lambda expr: expr.name + subscripts(expr.path),
    OutputRef: lambda expr: f"{expr.task}.{expr.output}{subscripts(expr.path)}",
    ItemRef: lambda expr: "item" + subscripts(expr.path),
    Collected: lambda expr: f"all {expression(expr.source)}",
    OneOf: lambda expr: " or ".join(dict.fromkeys(map(expression, expr.choices))),
    StatusRef: lambda _: "how it ended",
    Pack: _pack,
    Compare: lambda expr: f"{expression(expr.left)} {expr.op} {expression(expr.right)}",
    AllOf: _operands("and"),
    AnyOf: _operands("or"),
    Negation: lambda expr: f"not ({expression(expr.operand)})",
}


def block_title(block: Block, *, first: bool = True) -> str:
    """What a block says at its top. ``first`` is whether a branch is the first of its switch."""
    if isinstance(block, Branch):
        if block.condition is None:
            return "else"
        return f"{'if' if first else 'elif'} {expression(block.condition)}"
    if isinstance(block, Loop):
        limit = f", {block.parallelism} at once" if block.parallelism else ""
        return f"for each item of {expression(block.items)}{limit}"
    if isinstance(block, ExitScope):
        return (
            f"whatever happens here, then {block.handler}" if block.handler else "whatever happens"
        )
    if isinstance(block, Group):
        return block.name or block.id
    return ""


def task_title(task: Task) -> str:
    """What a task is called in a picture."""
    return task.options.display_name or task.id


def parameter_text(parameter: Parameter) -> str:
    """``rows: int = 100``."""
    kind = "" if parameter.type in (None, UNKNOWN) else f": {spell(parameter.type)}"
    default = "" if parameter.default is REQUIRED else f" = {constant(parameter.default)}"
    return f"{parameter.name}{kind}{default if kind else default.replace(' ', '')}"


def badges(task: Task) -> tuple[str, ...]:
    """The options that change how the task runs, each as a few characters."""
    options = task.options
    given = options.explicit()
    found = []
    if isinstance(task.step, ContainerDef):
        found.append("container")
    found += [
        option.badge(given[option.name])
        for option in STEP_OPTIONS
        if option.badge and option.name in given
    ]
    return tuple(badge for badge in found if badge)


def option_list(options: StepOptions) -> list[tuple[str, str]]:
    """Every option that is given, with its value as text."""
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
            f"{key}={entry if isinstance(entry, str) else constant(entry)}"
            for key, entry in value.items()
        )
    if isinstance(value, tuple):
        return ", ".join(_value("", entry) for entry in value)
    if is_dataclass(value):
        said = ((item, getattr(value, item.name)) for item in fields(value))
        return " ".join(
            f"{item.name}={_value('', entry)}" for item, entry in said if entry != item.default
        )
    return constant(value)
