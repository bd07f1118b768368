"""What the annotations of a function say of its parameters and of what it returns."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from kalelite.plan.types.annotations import UNKNOWN, resolve, spell

__all__ = [
    "NOTHING_KNOWN",
    "UNKNOWN",
    "Returns",
    "fields_of",
    "hints_of",
    "items_of",
    "resolve",
    "return_names",
    "returns_of",
    "spell",
]


_cache: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def hints_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Resolved annotations of a function by parameter name, its result under ``return``.

    Absent and unresolvable annotations are left out.
    """
    try:
        known = _cache.get(function)
    except TypeError:  # a callable that cannot be referred to weakly
        known = None
    if known is not None:
        return known
    names = _names(function)
    raw = getattr(function, "__annotations__", None) or {}
    hints = {name: resolve(value, names) for name, value in raw.items()}
    hints = {name: value for name, value in hints.items() if value is not UNKNOWN}
    with contextlib.suppress(TypeError):
        _cache[function] = hints
    return hints


def _names(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The names that the function sees: its globals and the variables it closes over."""
    names = dict(getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    return names


def fields_of(hint: Any) -> tuple[str, ...] | None:
    """Field names of a NamedTuple class, None for anything else."""
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = getattr(hint, "_fields", None)
        if isinstance(fields, tuple):
            return fields
    return None


def items_of(hint: Any) -> tuple[Any, ...] | None:
    """Types of the items of a tuple of fixed length, None for anything else."""
    fields = fields_of(hint)
    if fields is not None:
        raw = getattr(hint, "__annotations__", {})
        module = sys.modules.get(getattr(hint, "__module__", ""))
        names = vars(module) if module is not None else {}
        return tuple(resolve(raw[name], names) if name in raw else UNKNOWN for name in fields)
    if get_origin(hint) is tuple:
        args = get_args(hint)
        if len(args) != 2 or args[1] is not Ellipsis:
            return tuple(resolve(arg, {}) for arg in args)
    return None


@dataclass(frozen=True, slots=True)
class Returns:
    """What a return annotation says.

    ``items`` are the types of a fixed number of values, ``fields`` their names if it is a
    NamedTuple, ``native`` the primitive type if it is one.
    """

    hint: Any = UNKNOWN
    items: tuple[Any, ...] | None = None
    fields: tuple[str, ...] | None = None
    native: str | None = None


NOTHING_KNOWN = Returns()

_returns: weakref.WeakKeyDictionary[Any, Returns] = weakref.WeakKeyDictionary()


def returns_of(function: Callable[..., Any]) -> Returns:
    """What a function's return annotation says."""
    try:
        known = _returns.get(function)
    except TypeError:  # as above
        return NOTHING_KNOWN
    if known is None:
        from kalelite.plan.types.fit import native_name  # which reads hints itself

        hint = hints_of(function).get("return", UNKNOWN)
        known = NOTHING_KNOWN
        if hint is not UNKNOWN:
            known = Returns(hint, items_of(hint), fields_of(hint), native_name(hint))
        _returns[function] = known
    return known


def return_names(hint: Any) -> str:
    """How many values a return annotation promises, for a message."""
    items = items_of(hint)
    if items is None:
        return f"{spell(hint)}, one value"
    return f"{len(items)} value{'s' if len(items) != 1 else ''}"
