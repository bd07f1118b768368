"""Which classes come back by code of their own, so that what they bring back has to be looked at.

Python's own way of pickling an instance (its class by name, its attributes one by one) loses
nothing. The reductions of the standard library are taken at their word too, and so are those
of a few libraries of arrays, tables and estimators whose values are compared piece by piece in
this package's tests, and those that the package brings itself. Whatever else a class says is code
that may forget something.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Any

__all__ = ["rebuilds_itself", "root_of"]

_TRUSTED = sys.stdlib_module_names | {"numpy", "pandas", "pyarrow", "polars", "sklearn"}
_WAYS = (
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__setstate__",
    "__getnewargs_ex__",
    "__getnewargs__",
    "__new__",
    "__getattr__",  # unpicklers ask half-made instances for their methods
    "__getattribute__",
)
_ITEMS = ("__setitem__", "append", "extend")

_known: weakref.WeakKeyDictionary[type, frozenset[str]] = weakref.WeakKeyDictionary()


def rebuilds_itself(cls: type, trusted: str = "") -> bool:
    """Whether code outside Python, those libraries and the package `trusted` takes part in unpickling."""
    if cls not in _known:
        _known[cls] = frozenset(map(root_of, _ways(cls))) - _TRUSTED
    return bool(_known[cls] - {trusted})


def root_of(function: Any) -> str:
    """Root package of what defines a function or method."""
    function = getattr(function, "__func__", function)
    module = getattr(function, "__module__", None)
    if not isinstance(module, str):
        owner = getattr(function, "__objclass__", None) or getattr(function, "__self__", None)
        module = getattr(owner, "__module__", None)
    if not isinstance(module, str):
        return ""
    # The constructor of a named tuple is made from text, in a module of that name.
    return "collections" if module.startswith("namedtuple_") else module.partition(".")[0]


def _ways(cls: type) -> Iterator[Any]:
    """The methods that pickling and unpickling an instance may call."""
    names = [*_WAYS]
    special = _find(cls, "__reduce_ex__") is not object.__reduce_ex__
    if special or _find(cls, "__reduce__") is not object.__reduce__:
        names.append("__init__")  # such a reduction calls the class
    if issubclass(cls, list | dict):
        names.extend(_ITEMS)
    if any("__slots__" in vars(base) for base in cls.__mro__) and not _find(cls, "__setstate__"):
        names.append("__setattr__")
    yield from filter(None, (_find(cls, name) for name in names))


def _find(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None
