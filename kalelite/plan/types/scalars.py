"""Values without parts, read from Python or from text; see `kalelite.plan.types.convert`."""

from __future__ import annotations

import operator
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from kalelite.plan.types.annotations import UNKNOWN

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
NOTHING = {"none", "null"}


class MisfitError(Exception):
    """A value does not fit; carries where inside the value, what was expected, and a hint."""

    def __init__(self, expected: str, hint: str = "", path: str = "", value: Any = UNKNOWN) -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint
        self.path = path
        self.value = value


def read_nothing(value: Any, kind: Any, text: bool) -> None:
    if value is not None and not (text and value.strip().lower() in NOTHING):
        raise MisfitError("None")


def read_bool(value: Any, kind: Any, text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if text and isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    hint = "Write true or false." if text else "Write True or False."
    raise MisfitError("a bool", hint)


def read_int(value: Any, kind: Any, text: bool) -> int:
    if isinstance(value, bool):
        raise MisfitError("an int")
    if text and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise MisfitError("an int", "Write a whole number, such as 7.") from None
    try:
        return operator.index(value)
    except TypeError:
        digits = isinstance(value, str) and value.strip().lstrip("-").isdigit()
        whole = isinstance(value, float) and value.is_integer()
        hint = f"Write {value.strip()}, without quotes." if digits else ""
        raise MisfitError("an int", f"Write {value:.0f}." if whole else hint) from None


def read_float(value: Any, kind: Any, text: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise MisfitError("a float")
    try:
        number = float(value)
    except OverflowError:
        raise MisfitError("a float: it is too large for one") from None
    except ValueError:
        raise MisfitError("a float", "Write a number, such as 0.5.") from None
    if isinstance(value, str) and not text:
        raise MisfitError("a float", f"Write {value.strip()}, without quotes.")
    return number


def read_str(value: Any, kind: Any, text: bool) -> str:
    if not isinstance(value, str):
        raise MisfitError(
            "a str", f"Write {str(value)!r}." if isinstance(value, (int, float)) else ""
        )
    return value


def read_date(value: Any, kind: type[date], text: bool) -> date:
    """A date or a datetime, which is a date to Python but not to a user."""
    if isinstance(value, kind) and isinstance(value, datetime) == issubclass(kind, datetime):
        return value
    try:
        return kind.fromisoformat(value.strip())
    except (AttributeError, TypeError, ValueError):
        example = "2026-01-31T12:00:00" if issubclass(kind, datetime) else "2026-01-31"
        raise MisfitError(f"a {kind.__name__}", f"Write it as {example}.") from None


def read_path(value: Any, kind: type[PurePath], text: bool) -> PurePath:
    if isinstance(value, kind):
        return value
    if not isinstance(value, (str, PurePath)) or not str(value) or "\0" in str(value):
        raise MisfitError("a path", "Write the path as text.")
    return kind(value)
