"""Whether a value that was read back has lost something that it had.

``==`` says so for classes that define it. Here are those that do not: an instance whose class
rebuilds itself with ``__reduce__`` or ``__setstate__`` is compared attribute by attribute. What a
class leaves out in its own ``__getstate__`` it means to leave out, and private attributes may be
caches; numbers, text and the like that it shows in public have to come back.
"""

from __future__ import annotations

from typing import Any

from kalelite.marshal.registry import reducer_of

__all__ = ["lost"]

_MOST = 2_000
_SCALARS = frozenset({bool, int, float, complex, str, bytes, type(None)})


def lost(before: Any, after: Any) -> str | None:
    """What is missing or different in `after`, in words; None if nothing was found."""
    pairs, seen = [(before, after)], set[int]()
    while pairs and len(seen) < _MOST:
        one, two = pairs.pop()
        cls = type(one)
        if one is two or id(one) in seen or type(two) is not cls:
            continue
        seen.add(id(one))
        if cls in (list, tuple):
            pairs.extend([pair for pair in zip(one, two, strict=False) if _deep(pair[0])])
        elif cls is dict:
            pairs.extend([(v, two[k]) for k, v in one.items() if _deep(v) and k in two])
        elif isinstance(mine := getattr(one, "__dict__", None), dict) and not isinstance(one, type):
            theirs = vars(two)
            if _rebuilds(cls) and (name := _changed(mine, theirs)):
                return f"its attribute {name!r} does not come back"
            pairs.extend([(v, theirs[k]) for k, v in mine.items() if _deep(v) and k in theirs])
    return None


def _deep(value: Any) -> bool:
    return type(value) not in _SCALARS


def _rebuilds(cls: type) -> bool:
    """Whether the class says itself how it comes back, and nothing of what it leaves out."""
    said = {name for base in cls.__mro__[:-1] for name in vars(base)}
    ways = {"__setstate__", "__reduce__", "__reduce_ex__"}
    return "__getstate__" not in said and bool(said & ways) and reducer_of(cls) is None


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    for name, value in before.items():
        if type(value) not in _SCALARS or name.startswith("_") or value != value:  # noqa: PLR0124 - NaN
            continue
        if name not in after or (type(after[name]) in _SCALARS and after[name] != value):
            return name
    return None
