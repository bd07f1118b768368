"""Outputs that a step's annotation promises to be primitive: held to it, and written as JSON."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from typing import Any

LARGEST = 65_536
"""Longest JSON of a native output; what is larger goes through the store only."""

_PLAIN_BITS = 64
"""Of an int up to this size there is no doubt, and so it need not be tried."""


class MismatchError(TypeError):
    """A returned value is not what the step's annotation says."""


def _int(value: Any) -> int:
    return int(operator.index(value))


def _float(value: Any) -> float:
    if isinstance(value, str | bytes) or type(value).__module__ == "decimal":
        raise TypeError
    number = float(value)
    # An int that a float cannot hold would come back as another number.
    if number != value and not math.isnan(number):
        raise ValueError
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}:
        return bool(value)
    raise TypeError


def _str(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise TypeError


def _exactly(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return check


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "str": _str,
    "list": _exactly(list),
    "dict": _exactly(dict),
}


def convert(value: Any, native: str) -> Any:
    """The value as the annotated primitive.

    A numpy number becomes the Python number of the same value, an int where a float is
    promised becomes a float. Nothing is rounded, parsed or cut. Raises `MismatchError` if the
    value is not one of that type.
    """
    try:
        return _CONVERT[native](value)
    except (TypeError, ValueError, OverflowError):
        raise MismatchError(
            f"annotated -> {native}, but a {type(value).__qualname__} was returned"
        ) from None


def as_json(value: Any) -> tuple[bool, str]:
    """Whether the value can be written as JSON and read back as it is, and if not, why."""
    kind = type(value)
    if kind in (bool, float) or (kind is int and value.bit_length() <= _PLAIN_BITS):
        return True, ""
    try:
        text = json.dumps(value)
        same = _same(json.loads(text), value)
    except (TypeError, ValueError, RecursionError) as error:
        return False, str(error)
    if not same:
        return False, "JSON cannot hold it as it is"
    if len(text) > LARGEST:
        return False, f"its JSON has {len(text):,} characters, more than {LARGEST:,}"
    return True, ""


def _same(left: Any, right: Any) -> bool:
    """Equal with equal types, at any depth; NaN equals itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        # Keys that were no strings have come back as strings.
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    return bool(left == right) or (type(left) is float and math.isnan(left) and math.isnan(right))
