"""Plain data as JSON, where JSON brings it back exactly; anyone can read such an object."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kalelite.marshal.registry import Format, Frame, register

_MOST_NODES = 2_000
_SHORT, _LONGEST = 64, 65_536
_LARGEST = 10**100
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_DECODE = json.JSONDecoder().decode


class Plain(Format):
    """None, bool, int, finite float, str, and lists and string-keyed dicts of these.

    Only exact types, only trees (a list or a long text that stands in two places is one to
    pickle, two to JSON), and only small ones: others are pickled, which is faster.
    """

    encoding = "plain.json/1"
    suffix = ".json"

    def claims(self, value: Any) -> bool:
        nodes, seen, stack = 0, set(), [value]
        while stack:
            item = stack.pop()
            nodes += 1
            kind = type(item)
            if kind is list or kind is dict:
                nodes += len(item)
                if id(item) in seen or nodes > _MOST_NODES:
                    return False
                seen.add(id(item))
                if kind is dict:
                    if not all(type(key) is str and _encodable(key) for key in item):
                        return False
                    item = item.values()
                stack.extend(item)
            elif not _scalar(item, kind):
                return False
            elif kind is str and len(item) > _SHORT:
                if id(item) in seen:
                    return False
                seen.add(id(item))
        return True

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        return {}, [_ENCODE(value).encode()]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return _DECODE(str(frames[0], "utf-8"))


def _scalar(item: Any, kind: type) -> bool:
    """Whether JSON brings this one back: no NaN, no lone surrogate, no number of 5,000 digits."""
    if isinstance(item, str) and kind is str:
        return len(item) <= _LONGEST and _encodable(item)
    if isinstance(item, int) and kind is int:
        return -_LARGEST < item < _LARGEST
    if kind is float:
        return math.isfinite(item)
    return item is None or kind is bool


def _encodable(text: str) -> bool:
    """Whether there is no lone surrogate in it."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


for _cls in (type(None), bool, int, float, str, list, dict):
    register(_cls, Plain())
