"""The command line of a container step: words, and what stands for inputs and outputs in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from kalelite.frozen import frozen


@frozen
class InputValue:
    """The value of an input, as text: ``InputValue("text")``."""

    name: str


@frozen
class InputPath:
    """The path of a file that holds an input, or of an input of type ``Path``."""

    name: str


@frozen
class OutputPath:
    """The path of a file that the container has to write, and that then is the output."""

    name: str


@frozen
class Concat:
    """Several words written together as one: ``Concat(("--out=", OutputPath("model")))``."""

    parts: tuple[Word, ...]


@frozen
class IfPresent:
    """Words that are there only if an optional input is given.

    ``IfPresent("seed", then=("--seed", InputValue("seed")))``; ``otherwise`` is there if not.
    """

    name: str
    then: tuple[Word, ...]
    otherwise: tuple[Word, ...] = ()


Word: TypeAlias = "str | InputValue | InputPath | OutputPath | Concat | IfPresent"


def walk(words: Iterable[Word]) -> Iterator[Word]:
    """The words and all that they are made of."""
    for word in words:
        yield word
        if isinstance(word, Concat):
            yield from walk(word.parts)
        elif isinstance(word, IfPresent):
            yield from walk((*word.then, *word.otherwise))


def fill(
    words: Iterable[Word],
    put: Callable[[InputValue | InputPath | OutputPath], str],
    present: Collection[str],
) -> list[str]:
    """The command or arguments of a `ContainerDef` as text.

    ``put`` gives the text for a placeholder; ``present`` are the inputs that the call gives, or
    that have a default.
    """
    result = []
    for word in words:
        if isinstance(word, str):
            result.append(word)
        elif isinstance(word, Concat):
            result.append("".join(fill(word.parts, put, present)))
        elif isinstance(word, IfPresent):
            result += fill(word.then if word.name in present else word.otherwise, put, present)
        else:
            result.append(put(word))
    return result
