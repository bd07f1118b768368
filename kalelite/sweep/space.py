"""What a sweep goes over: lists of values, and ranges."""

from __future__ import annotations

import ast
import json
import math
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.errors import UsageError
from kalelite.frozen import frozen

Point = Mapping[str, Any]
"""A value for each parameter that is swept."""

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(log)?\s*")
_WHOLE = re.compile(r"[-+]?\d+")


@frozen
class Choices:
    """A list of values."""

    values: tuple[Any, ...]

    @property
    def count(self) -> int | None:
        """How many values there are."""
        return len(self.values)

    def at(self, position: int) -> Any:
        """The value at a position."""
        return self.values[position]

    def draw(self, generator: random.Random) -> Any:
        """A value by chance."""
        return generator.choice(self.values)


@frozen
class Range:
    """All numbers from ``low`` to ``high``, both included; ``log`` draws each magnitude as often."""

    low: float
    high: float
    whole: bool
    log: bool

    @property
    def count(self) -> int | None:
        """How many values there are; None for all numbers between two."""
        return int(self.high - self.low) + 1 if self.whole else None

    def at(self, position: int) -> Any:
        """The value at a position."""
        return int(self.low) + position

    def draw(self, generator: random.Random) -> Any:
        """A value by chance."""
        if not self.log:
            return (
                generator.randint(int(self.low), int(self.high))
                if self.whole
                else generator.uniform(self.low, self.high)
            )
        found = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return round(found) if self.whole else min(max(found, self.low), self.high)


Space = Mapping[str, Choices | Range]


def parse_space(given: Mapping[str, str]) -> tuple[dict[str, Choices | Range], dict[str, str]]:
    """What is swept, and the texts of the parameters that have one value.

    ``[0.1, 0.01]`` and ``[ridge, lasso]`` are lists, ``2..6`` whole numbers, ``0.1..0.5`` all
    numbers between, ``1e-4..1e-1 log`` by magnitude. Raises `UsageError` for one that is none.
    """
    space: dict[str, Choices | Range] = {}
    fixed: dict[str, str] = {}
    for name, text in given.items():
        match = _RANGE.fullmatch(text)
        if match is not None:
            space[name] = _range(name, text, match)
        elif text.strip().startswith("["):
            space[name] = Choices(_values(name, text.strip()))
        else:
            fixed[name] = text
    if not space:
        raise UsageError(
            "nothing is swept", hint="Write -p 'lr=[0.1, 0.01]' or -p 'depth=2..6', in quotes."
        )
    return space, fixed


def _range(name: str, text: str, match: re.Match[str]) -> Range:
    low, high, log = match.groups()
    whole = bool(_WHOLE.fullmatch(low) and _WHOLE.fullmatch(high))
    found = Range(float(low), float(high), whole, bool(log))
    if found.low >= found.high:
        raise UsageError(f"-p {name}={text}: {low} is not below {high}")
    if log and found.low <= 0:
        raise UsageError(f"-p {name}={text}: magnitudes begin above 0")
    return found


def _values(name: str, text: str) -> tuple[Any, ...]:
    found: Any = None
    for read in (json.loads, ast.literal_eval, _words):
        try:
            found = read(text)
            break
        except (ValueError, SyntaxError):
            continue
    if not isinstance(found, list) or not found:
        raise UsageError(
            f"-p {name}={text} is no list of values",
            hint=f"Write -p '{name}=[1, 2]'; one value that is a list itself: -p '{name}=[[1, 2]]'.",
        )
    texts = [text_of(value) for value in found]
    twice = [each for each in texts if texts.count(each) > 1]
    if twice:
        raise UsageError(f"-p {name}={text} has {twice[0]} twice")
    return tuple(found)


def _words(text: str) -> list[str]:
    """Words without quotes, which a shell takes away: ``[ridge, lasso]``."""
    words = [word.strip() for word in text.removeprefix("[").removesuffix("]").split(",")]
    if not text.endswith("]") or not all(re.fullmatch(r"[^\s\[\]{}\"']+", word) for word in words):
        raise ValueError(text)
    return words


def text_of(value: Any) -> str:
    """A value as ``-p`` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def size_of_space(space: Space) -> int | None:
    """How many points a space has; None where it has a range of all numbers."""
    counts = [each.count for each in space.values()]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def grid(space: Space) -> Iterator[Point]:
    """All points, the last parameter changing first.

    Raises `UsageError`: a parameter has no end of values.
    """
    endless = next((name for name, each in space.items() if each.count is None), None)
    if endless is not None:
        raise UsageError(
            f"{endless} has no end of values, so there is no grid of them",
            hint=f"Give a list, as -p '{endless}=[0.1, 0.2]', or --random 20.",
        )
    total = size_of_space(space) or 0
    return (_point(space, position) for position in range(total))


def draws(space: Space, number: int, seed: int) -> Iterator[Point]:
    """Points by chance, none of them twice; all of them where there are no more."""
    generator = random.Random(seed)
    total = size_of_space(space)
    if total is not None and not any(isinstance(one, Range) and one.log for one in space.values()):
        positions = generator.sample(range(total), min(number, total))
        yield from (_point(space, position) for position in positions)
        return
    for _ in range(number):
        yield {name: each.draw(generator) for name, each in space.items()}


def _point(space: Space, position: int) -> Point:
    found = {}
    for name, each in reversed(list(space.items())):
        position, at = divmod(position, each.count or 1)
        found[name] = each.at(at)
    return {name: found[name] for name in space}
