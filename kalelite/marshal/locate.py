"""Where inside a value stands the part that cannot be saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["locate"]

_MOST_TRIES = 10_000
_DEEPEST = 50


def locate(value: Any, fits: Callable[[Any], bool], *, attributes: bool = True) -> tuple[str, Any]:
    """The path to the innermost part that does not fit, and that part.

    Walks dicts, sequences, sets and, if asked to, attributes. The path reads as Python:
    ``['models'][2].lock``.
    """
    path, tries, seen = "", 0, {id(value)}
    for _ in range(_DEEPEST):
        for step, child in _children(value, attributes):
            tries += 1
            if tries > _MOST_TRIES:
                return path, value
            if id(child) not in seen and not fits(child):
                seen.add(id(child))
                path, value = path + step, child
                break
        else:
            break
    return path, value


def _children(value: Any, attributes: bool) -> Iterator[tuple[str, Any]]:
    try:
        if isinstance(value, dict):
            for key, item in value.items():
                yield f"[{_short(key)}]", item
            for key in value:
                yield f" key {_short(key)}", key
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield f"[{index}]", item
        elif isinstance(value, set | frozenset):
            for item in value:
                yield f" item {_short(item)}", item
        for name, item in _attributes(value) if attributes else ():
            yield f".{name}", item
    except Exception:  # noqa: BLE001 - the value's own code may raise anything
        return


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, type):
        return
    yield from getattr(value, "__dict__", {}).items()
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(value, name):
                yield name, getattr(value, name)
    closure = getattr(value, "__closure__", None) or ()
    names = getattr(getattr(value, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, closure, strict=False):
        yield f"<closure>.{name}", cell.cell_contents


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr is the user's code
        text = object.__repr__(value)
    return text if len(text) <= 60 else text[:57] + "..."
