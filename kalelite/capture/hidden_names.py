"""Globals that code looks up by a text: ``frame.query("a > @LIMIT")``, ``globals()[name]``."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kalelite.capture.bytecode import References

OWN_NAMES = frozenset(
    {"__name__", "__file__", "__package__", "__doc__", "__builtins__", "__loader__", "__spec__"}
    | {"__cached__", "__path__", "__annotations__", "__warningregistry__"}
)
"""What Python itself puts into a module."""

# Code that uses one of these as a global may look up any name.
_ANY_NAME = frozenset({"eval", "exec", "globals", "__import__"})
# The same, as an attribute.
_NAMESPACES = frozenset({"f_globals", "__globals__", "__main__"})
# Given a text, these look up names in it.
_READ_TEXTS = frozenset(
    {"eval", "exec", "execute", "evaluate", "query", "sql", "timeit", "attrgetter", "substitute"}
)
_PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None), CodeType})


def hidden_names(found: References, values: Mapping[str, Any]) -> list[str]:
    """The globals, among these, that the code may look up otherwise than by their name.

    Definitions and plain values that some text names are taken in any case: they cost nothing, and
    a formula or a template may mean them.
    """
    calls = _ANY_NAME.intersection(found.globals)
    if calls or _NAMESPACES & found.mentioned or {"sys", "modules"} <= found.mentioned:
        return [name for name in public(values) if name not in found.globals]
    texts = found.texts.difference(found.globals)
    named = sorted(name for name in texts if name in values and name not in OWN_NAMES)
    if _READ_TEXTS & found.mentioned:
        return named
    return [name for name in named if _is_cheap(values[name])]


def public(values: Mapping[str, Any]) -> list[str]:
    """The names of a module that are not Python's own."""
    return [name for name in values if name not in OWN_NAMES]


def _is_cheap(value: Any) -> bool:
    """No step or pipeline: a text that has its name tells of it, and its edits would count here."""
    return type(value) in _PLAIN or isinstance(value, FunctionType | ModuleType | type)
