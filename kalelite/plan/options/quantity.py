"""Kubernetes quantities: one grammar for cpu, memory and storage.

A quantity is a decimal number and one suffix: ``n u m`` (fractions), nothing, ``k M G T P E``
(powers of 1000), ``Ki Mi Gi Ti Pi Ei`` (powers of 1024), or an exponent such as ``e3``.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from kalelite.errors import UsageError

_THOUSANDS = {suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)}
_BINARY = {suffix + "i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}
_FRACTIONS = {
    suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", ""), -3)
}
_SUFFIXES = {**_FRACTIONS, **_THOUSANDS, **_BINARY}
_NUMBER = r"(?s)([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(.*)"
_EXPONENT = r"[eE][+-]?[0-9]{1,3}"
_LARGEST = Decimal(2**63 - 1)
_MEBIBYTE = 1024**2
_MOST_CORES = 4096


def parse(value: Any, name: str = "quantity") -> Decimal:
    """The number that a quantity stands for: ``"1.5Gi"``, ``"1e3"``, an int, float or Decimal.

    Raises `UsageError` if it is none, negative, or larger than Kubernetes can hold.
    """
    number = _number(value, name)
    if number < 0:
        raise UsageError(f"{name}={value!r} is negative", hint=f"Write {str(value).lstrip('-')!r}.")
    if number > _LARGEST:
        raise UsageError(
            f"{name}={value!r:.60} is more than a Kubernetes quantity can hold",
            hint="The largest is 2**63 - 1, just under 8Ei.",
        )
    return number


def memory(value: Any, name: str = "memory") -> str:
    """An amount of memory or storage, checked and spelled as Kubernetes wants it.

    Less than one mebibyte is refused, too: it is always a forgotten suffix.
    """
    number = parse(value, name)
    if number < _MEBIBYTE:
        match = re.match(_NUMBER, str(value))
        hint = f"Write '{match[1]}Mi' or '{match[1]}Gi'." if match and number else ""
        raise UsageError(
            f"{name}={value!r} is only {number:f} bytes",
            hint=hint or "Leave the option out, or write an amount such as '8Gi'.",
        )
    return spell(value)


def cpu(value: Any, name: str = "cpu") -> str:
    """A number of cores, checked and spelled as Kubernetes wants it; not finer than thousandths."""
    number = parse(value, name)
    wrong = ""
    if isinstance(value, str) and value.endswith("i"):
        wrong = "is an amount of bytes; cpu is counted in cores"
    elif number < Decimal("0.001"):
        wrong = "is less than a thousandth of a core"
    elif number * 1000 % 1:
        wrong = "is finer than a thousandth of a core"
    elif number > _MOST_CORES:
        wrong = f"is {number:f} cores"
    if wrong:
        hint = "Write '2' for two cores or '500m' for half of one."
        raise UsageError(f"{name}={value!r} {wrong}", hint=hint)
    return spell(value)


def size_of(value: Any, name: str = "quantity") -> int:
    """The whole number of bytes in a quantity, rounded up as Kubernetes does."""
    return math.ceil(parse(value, name))


def spell(value: Any) -> str:
    """A quantity that `parse` accepts, as text: ``2`` is ``"2"``, ``0.5`` is ``"500m"``."""
    if isinstance(value, str):
        return value
    number = Decimal(str(value))
    if number % 1:
        thousandths = number * 1000
        return f"{thousandths:f}" if thousandths % 1 else f"{int(thousandths)}m"
    return str(int(number))


def _number(value: Any, name: str) -> Decimal:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = Decimal(str(value))
        if not number.is_finite():
            raise UsageError(f"{name}={value!r} is not a quantity", hint="Write a number.")
        return number
    if not isinstance(value, str):
        raise UsageError(
            f"{name}={value!r} is not a quantity but of type {type(value).__name__}",
            hint="Write a number or a text such as '500m' or '8Gi'.",
        )
    match = re.fullmatch(_NUMBER, value)
    if match is not None and match[2] in _SUFFIXES:
        return Decimal(match[1]) * _SUFFIXES[match[2]]
    if match is not None and re.fullmatch(_EXPONENT, match[2]):
        return Decimal(value)
    wrong = f": {match[2].strip()!r} is not a suffix" if match and match[2].strip() else ""
    raise UsageError(f"{name}={value!r} is not a quantity{wrong}", hint=_suggestion(value))


def _suggestion(value: str) -> str:
    """What was most likely meant by a text that is no quantity."""
    match = re.fullmatch(_NUMBER, value.strip())
    if match is None:
        return "Write a number and a suffix, such as '500m', '2' or '8Gi'."
    digits, suffix = match[1], match[2].strip()
    if suffix in _SUFFIXES:
        return f"Write '{digits}{suffix}'."
    letters = suffix.lower().removesuffix("b")
    both = [each for each in (*_THOUSANDS, *_BINARY) if each.lower() in {letters, letters + "i"}]
    if len(both) == 2:
        thousands, binary = both
        return (
            f"Write '{digits}{thousands}' (powers of 1000) or '{digits}{binary}' (powers of 1024)."
        )
    if both:
        return f"Write '{digits}{both[0]}'."
    return "The suffixes are m, k, M, G, T, P, E and Ki, Mi, Gi, Ti, Pi, Ei."
