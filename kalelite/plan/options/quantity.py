"""Kubernetes quantities: one grammar for cpu, memory and storage, with messages that suggest.

A quantity is a decimal number and one suffix: ``n u m`` (fractions), nothing, ``k M G T P E``
(powers of 1000), ``Ki Mi Gi Ti Pi Ei`` (powers of 1024), or an exponent such as ``e3``.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any

from kalelite.errors import UsageError

__all__ = ["cores_of", "cpu", "memory", "parse", "size_of", "spell"]

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix + "i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(.*)", re.DOTALL)
_EXPONENT = re.compile(r"[eE][+-]?[0-9]{1,3}")
_LARGEST = Decimal(2**63 - 1)
_UNITS = {"b", "byte", "bytes", "core", "cores", "cpu", "cpus"}
_MEBIBYTE = 1024**2
_MOST_CORES = 4096


def parse(value: Any, *, name: str = "quantity") -> Decimal:
    """The number that a quantity stands for.

    Parameters
    ----------
    value
        ``"1.5Gi"``, ``"500m"``, ``"1e3"``, or a Python int, float or Decimal.
    name
        What the quantity is for; error messages begin with it.

    Raises
    ------
    UsageError
        The value is no quantity, negative, or larger than Kubernetes can hold.
    """
    number = _number(value, name)
    if number < 0:
        raise UsageError(f"{name}={value!r} is negative", hint=f"Write {str(value).lstrip('-')!r}.")
    if number > _LARGEST:
        raise UsageError(
            f"{name}={_cut(value)} is more than a Kubernetes quantity can hold",
            hint="The largest is 2**63 - 1, just under 8Ei.",
        )
    return number


def memory(value: Any, *, name: str = "memory") -> str:
    """An amount of memory or storage, checked and spelled as Kubernetes wants it.

    Raises
    ------
    UsageError
        As `parse`; and for less than one mebibyte, which is always a forgotten suffix.
    """
    number = parse(value, name=name)
    if number < _MEBIBYTE:
        raise UsageError(f"{name}={value!r} is {_bytes_in_words(number)}", hint=_more(value))
    return spell(value)


def cpu(value: Any, *, name: str = "cpu") -> str:
    """A number of cores, checked and spelled as Kubernetes wants it.

    Raises
    ------
    UsageError
        As `parse`; and for zero, for less than a thousandth of a core, and for byte suffixes.
    """
    number = parse(value, name=name)
    if isinstance(value, str) and value.endswith("i"):
        raise UsageError(
            f"{name}={value!r} is an amount of bytes; cpu is counted in cores",
            hint="Write '2' for two cores or '500m' for half of one.",
        )
    if number < Decimal("0.001"):
        raise UsageError(
            f"{name}={value!r} is less than a thousandth of a core",
            hint="Write '1' for a core or '500m' for half of one; leave the option out to ask for nothing.",
        )
    if number * 1000 % 1:
        raise UsageError(
            f"{name}={value!r} is finer than a thousandth of a core",
            hint=f"Write '{int(number * 1000) or 1}m'.",
        )
    if number > _MOST_CORES:
        raise UsageError(
            f"{name}={value!r} is {number:f} cores",
            hint="Write the number of cores, such as '4', or thousandths of a core, such as '500m'.",
        )
    return spell(value)


def size_of(value: Any, *, name: str = "quantity") -> int:
    """The whole number of bytes in a quantity, rounded up as Kubernetes does."""
    return int(parse(value, name=name).to_integral_value(ROUND_CEILING))


def cores_of(value: Any, *, name: str = "cpu") -> Decimal:
    """The number of cores in a quantity."""
    return parse(value, name=name)


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
            f"{name}={value!r} is not a quantity but {_article(type(value).__name__)}",
            hint="Write a number or a text such as '500m' or '8Gi'.",
        )
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise UsageError(f"{name}={value!r} is not a quantity", hint=_suggest(value))
    digits, suffix = match.groups()
    if suffix in _SUFFIXES:
        return Decimal(digits) * _SUFFIXES[suffix]
    if _EXPONENT.fullmatch(suffix):
        return Decimal(digits + suffix)
    raise UsageError(
        f"{name}={value!r} is not a quantity: {suffix.strip()!r} is not a suffix"
        if suffix.strip()
        else f"{name}={value!r} is not a quantity: it ends in a space",
        hint=_suggest(value),
    )


def _suggest(value: str) -> str:
    """What the user most likely meant."""
    plain = "".join(str(int(char)) if char.isdecimal() else char for char in value)
    plain = re.sub(r"^([0-9]+),([0-9]{1,2})(?![0-9,])", r"\1.\2", "".join(plain.split()))
    match = _NUMBER.fullmatch(plain.replace(",", ""))
    if match is None:
        return "Write a number and a suffix, such as '500m', '2' or '8Gi'."
    digits, suffix = match.groups()
    letter = suffix[:1].upper()
    word = suffix.lower().removesuffix("bytes").removesuffix("byte").removesuffix("b")
    if suffix in _SUFFIXES or suffix.lower() in _UNITS:
        spelled = suffix if suffix in _SUFFIXES else ""
        return f"Write '{digits}{spelled}'."
    if letter in set("KMGTPE") and word.endswith("i"):
        return f"Write '{digits}{letter}i'."
    if letter in set("KMGTPE") and len(word) == 1:
        thousands = letter.replace("K", "k")
        return (
            f"Write '{digits}{thousands}' (powers of 1000) or '{digits}{letter}i' (powers of 1024)."
        )
    return "The suffixes are m, k, M, G, T, P, E and Ki, Mi, Gi, Ti, Pi, Ei."


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _bytes_in_words(number: Decimal) -> str:
    if number == 0:
        return "nothing at all"
    if number < 1:
        return "less than a byte: 'm' means thousandths"
    count = int(number.to_integral_value(ROUND_CEILING))
    return "one byte" if count == 1 else f"only {count} bytes"


def _more(value: Any) -> str:
    match = _NUMBER.fullmatch(str(value))
    digits = match.group(1) if match else "1"
    if Decimal(digits) == 0:
        return "Leave the option out to ask for nothing, or write an amount such as '8Gi'."
    suffixes = ("Mi",) if match and match.group(2) == "m" else ("Mi", "Gi")
    return "Write " + " or ".join(f"'{digits}{suffix}'" for suffix in suffixes) + "."


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
