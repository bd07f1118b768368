"""Where inside a value a part stands, written as Python: ``['models'][2].lock``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

_SCALARS = frozenset({bool, int, float, complex, str, bytes, type(None)})
_MOST_SEEN = 1_000_000
_DEEPEST = 50

_Trail = tuple[Any, str, int]
"""The trail before, the last step, and how many steps there are."""

_START: _Trail = (None, "", 0)


def path_to(value: Any, parts: Sequence[Any]) -> str | None:
    """The path to the last of `parts` that can be found in a value; None if there is none."""
    if not parts:
        return None
    trails: dict[int, _Trail] = {}
    for item, trail in _walk(value):
        trails[id(item)] = trail
        if item is parts[-1]:
            break
    found = (trails[id(part)] for part in reversed(parts) if id(part) in trails)
    return next(map(_text, found), None)


def deep_path(value: Any) -> str:
    """The path to something that is nested very deeply; empty if nothing is."""
    return next((_text(trail) for _, trail in _walk(value) if trail[2] == _DEEPEST), "")


def _text(trail: _Trail) -> str:
    before, step, _ = trail
    return step if before is None else _text(before) + step


def _walk(value: Any) -> Iterator[tuple[Any, _Trail]]:
    """All parts of a value, the nearest first."""
    seen, queue = {id(value): value}, deque([(value, _START)])
    while queue:
        item, trail = queue.popleft()
        yield item, trail
        for step, child in _children(item):
            if type(child) in _SCALARS or id(child) in seen:
                continue
            if len(seen) > _MOST_SEEN:
                return
            seen[id(child)] = child
            queue.append((child, (trail, step, trail[2] + 1)))


def _children(value: Any) -> Iterator[tuple[str, Any]]:
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
        for name, item in _attributes(value):
            yield f".{name}", item
    except Exception:  # the value's own code may raise anything
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
    """The repr, if it is short and there is one."""
    try:
        text = repr(value)
    except Exception:  # a repr is the user's code
        text = object.__repr__(value)
    return text if len(text) <= 60 else text[:57] + "..."
