"""Durations: seconds as a number, or text such as ``"90"``, ``"30s"``, ``"10m"``, ``"1h30m"``."""

from __future__ import annotations

import math
import re
from typing import Any

from kalelite.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_LONGEST = 366 * 86400.0


def seconds(value: Any, name: str = "duration") -> float:
    """A duration in seconds, more than 0 and at most a year; raises `UsageError` for anything else."""
    number = _number(value)
    if number is None:
        raise UsageError(
            f"{name}={value!r} is not a duration",
            hint="Write seconds, such as 90, or a text such as '90s', '10m' or '1h30m'.",
        )
    if not 0 < number <= _LONGEST:
        problem = "is longer than a year" if number > 0 else "leaves no time at all"
        raise UsageError(
            f"{name}={value!r} {problem}",
            hint="Leave it out, or write a longer time."
            if number <= 0
            else "Leave it out to set no limit.",
        )
    return float(number)


def spell(value: float) -> str:
    """A duration as short text: ``90.0`` is ``"1m30s"``."""
    if value < 1:
        return f"{value * 1000:g}ms"
    parts = []
    whole, fraction = divmod(value, 1)
    rest = int(whole)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    if rest or fraction:
        parts.append(f"{rest + fraction:g}s")
    return "".join(parts)


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if abs(value) < math.inf else None  # nor nan
    if not isinstance(value, str):
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value, re.ASCII):
        return float(value)
    if re.fullmatch(f"(?:{_PART})+", value):
        return sum(float(digits) * _UNITS[unit] for digits, unit in re.findall(_PART, value))
    return None
