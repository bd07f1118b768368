"""What the annotations of a function say of its parameters and of what it returns."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from kalelite.frozen import frozen
from kalelite.plan.types.annotations import UNKNOWN, names_around, resolve, spell
from kalelite.plan.types.fit import native_name

__all__ = [
    "NOTHING_KNOWN",
    "UNKNOWN",
    "Returns",
    "hints_of",
    "resolve",
    "return_names",
    "returns_of",
    "spell",
]

T = TypeVar("T")
_Function = Callable[..., Any]


def _once(read: Callable[[_Function], T]) -> Callable[[_Function], T]:
    """As `functools.cache`, and holds no function alive; those without weak references are read anew."""
    known: weakref.WeakKeyDictionary[_Function, T] = weakref.WeakKeyDictionary()

    @functools.wraps(read)
    def cached(function: _Function) -> T:
        try:
            found = known.get(function)
            if found is None:
                found = known[function] = read(function)
        except TypeError:
            return read(function)
        return found

    return cached


@_once
def hints_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Resolved annotations of a function by parameter name, its result under ``return``.

    Absent and unresolvable annotations are left out.
    """
    names = _names(function)
    raw = getattr(function, "__annotations__", None) or {}
    hints = {name: resolve(value, names) for name, value in raw.items()}
    return {name: value for name, value in hints.items() if value is not UNKNOWN}


def _names(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The names that the function sees: its globals and the variables it closes over."""
    names = dict(getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        with contextlib.suppress(ValueError):  # it is not bound yet
            names[name] = cell.cell_contents
    return names


def _fields_of(hint: Any) -> tuple[str, ...] | None:
    """Field names of a NamedTuple class, None for anything else."""
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = getattr(hint, "_fields", None)
        if isinstance(fields, tuple):
            return fields
    return None


def _items_of(hint: Any) -> tuple[Any, ...] | None:
    """Types of the items of a tuple of fixed length, None for anything else."""
    fields = _fields_of(hint)
    if fields is not None:
        raw, names = getattr(hint, "__annotations__", {}), names_around(hint)
        return tuple(resolve(raw[name], names) if name in raw else UNKNOWN for name in fields)
    if get_origin(hint) is tuple:
        args = get_args(hint)
        if len(args) != 2 or args[1] is not Ellipsis:
            return tuple(resolve(arg, {}) for arg in args)
    return None


@frozen
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


@_once
def returns_of(function: Callable[..., Any]) -> Returns:
    """What a function's return annotation says."""
    hint = hints_of(function).get("return", UNKNOWN)
    if hint is UNKNOWN:
        return NOTHING_KNOWN
    return Returns(hint, _items_of(hint), _fields_of(hint), native_name(hint))


def return_names(hint: Any) -> str:
    """How many values a return annotation promises, for a message."""
    items = _items_of(hint)
    if items is None:
        return f"{spell(hint)}, one value"
    return f"{len(items)} value{'s' if len(items) != 1 else ''}"
