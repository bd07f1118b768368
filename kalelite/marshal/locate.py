"""Where inside a value stands the part that cannot be saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["locate", "path_to", "short"]

_SCALARS = frozenset({bool, int, float, complex, str, bytes, type(None)})
_MOST_TRIES = 10_000
_MOST_SEEN = 1_000_000
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


def path_to(value: Any, part: Any) -> str:
    """The shortest path from a value to an object in it; empty if there is none, or it is far."""
    seen, queue = {id(value): value}, deque([("", value)])
    while queue:
        path, item = queue.popleft()
        if item is part:
            return path
        for step, child in _children(item, True):
            if type(child) in _SCALARS or id(child) in seen:
                continue
            if len(seen) > _MOST_SEEN:
                return ""
            seen[id(child)] = child
            queue.append((path + step, child))
    return ""


def _children(value: Any, attributes: bool) -> Iterator[tuple[str, Any]]:
    try:
        if isinstance(value, dict):
            for key, item in value.items():
                yield f"[{short(key)}]", item
            for key in value:
                yield f" key {short(key)}", key
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield f"[{index}]", item
        elif isinstance(value, set | frozenset):
            for item in value:
                yield f" item {short(item)}", item
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


def short(value: Any) -> str:
    """The repr, if it is short and there is one."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr is the user's code
        text = object.__repr__(value)
    return text if len(text) <= 60 else text[:57] + "..."
