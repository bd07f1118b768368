"""Values without parts, read from Python or from text; see `kalelite.plan.types.convert`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, TypeVar

from kalelite.plan.types.annotations import UNKNOWN

__all__ = [
    "NOTHING",
    "Mismatch",
    "read_bool",
    "read_date",
    "read_datetime",
    "read_float",
    "read_int",
    "read_nothing",
    "read_path",
    "read_str",
]

T = TypeVar("T")
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
NOTHING = {"none", "null"}


class Mismatch(Exception):  # noqa: N818 - never leaves this module
    """A value does not fit; carries where inside the value, what was expected, and a hint."""

    def __init__(self, expected: str, hint: str = "", path: str = "", value: Any = UNKNOWN) -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint
        self.path = path
        self.value = value


def read_nothing(value: Any, kind: Any, text: bool) -> None:  # noqa: ARG001 - a reader
    if value is not None and not (text and value.strip().lower() in NOTHING):
        raise Mismatch("None")


def read_bool(value: Any, kind: Any, text: bool) -> bool:  # noqa: ARG001 - a reader
    if isinstance(value, bool):
        return value
    if text and isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    hint = "Write true or false." if text else "Write True or False."
    raise Mismatch("a bool", hint)


def read_int(value: Any, kind: Any, text: bool) -> int:  # noqa: ARG001 - a reader
    if isinstance(value, bool):
        raise Mismatch("an int")
    if text and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise Mismatch("an int", "Write a whole number, such as 7.") from None
    try:
        return operator.index(value)
    except TypeError:
        digits = isinstance(value, str) and value.strip().lstrip("-").isdigit()
        whole = isinstance(value, float) and value.is_integer()
        hint = f"Write {value.strip()}, without quotes." if digits else ""
        raise Mismatch("an int", f"Write {value:.0f}." if whole else hint) from None


def read_float(value: Any, kind: Any, text: bool) -> float:  # noqa: ARG001 - a reader
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Mismatch("a float: it is too large for one") from None
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise Mismatch("a float", "Write a number, such as 0.5.") from None
        if text:
            return number
        raise Mismatch("a float", f"Write {value.strip()}, without quotes.")
    raise Mismatch("a float")


def read_str(value: Any, kind: Any, text: bool) -> str:  # noqa: ARG001 - a reader
    if not isinstance(value, str):
        raise Mismatch("a str", f"Write {str(value)!r}." if isinstance(value, (int, float)) else "")
    return value


def read_datetime(value: Any, kind: Any, text: bool) -> datetime:  # noqa: ARG001 - a reader
    if isinstance(value, datetime):
        return value
    return _parsed(value, "a datetime", "2026-01-31T12:00:00", datetime.fromisoformat)


def read_date(value: Any, kind: Any, text: bool) -> date:  # noqa: ARG001 - a reader
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _parsed(value, "a date", "2026-01-31", date.fromisoformat)


def _parsed(value: Any, expected: str, example: str, parse: Callable[[str], T]) -> T:
    hint = f"Write it as {example}."
    if not isinstance(value, str):
        raise Mismatch(expected, hint)
    plain = value.strip()
    # Before Python 3.11, fromisoformat does not know that Z is UTC.
    plain = plain[:-1] + "+00:00" if plain[-1:] in {"Z", "z"} else plain
    try:
        return parse(plain)
    except ValueError:
        raise Mismatch(expected, hint) from None


def read_path(value: Any, kind: type[PurePath], text: bool) -> PurePath:  # noqa: ARG001 - a reader
    if isinstance(value, kind):
        return value
    if not isinstance(value, (str, PurePath)) or not str(value) or "\0" in str(value):
        raise Mismatch("a path", "Write the path as text.")
    return kind(value)
