"""What a container step declares: the words of its command, its inputs and outputs."""

from __future__ import annotations

import contextlib
import keyword
import shlex
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.container_command import (
    Concat,
    IfPresent,
    InputPath,
    InputValue,
    OutputPath,
    walk,
)
from kalelite.plan.graph import REQUIRED, ContainerDef, Output, Parameter
from kalelite.plan.suggest import did_you_mean
from kalelite.plan.types.convert import convert
from kalelite.plan.types.fit import native_name

_WORDS = (str, InputValue, InputPath, OutputPath, Concat, IfPresent)


def words_of(words: Any, name: str, where: Where, problems: list[Problem]) -> tuple[Any, ...]:
    if isinstance(words, str) or not isinstance(words, Iterable):
        hint = "Write a list of texts."
        if isinstance(words, str):
            with contextlib.suppress(ValueError):  # quotes that do not close
                hint = f"Write {name}={shlex.split(words)!r}."
        problems.append(Problem(f"{name}={words!r} is not a list of words", hint, where))
        return ()
    given: tuple[Any, ...] = tuple(words)
    every: list[Any] = list(walk(given))
    for word in every:
        if not isinstance(word, _WORDS):
            hint = f"Write {str(word)!r}." if isinstance(word, (int, float)) else ""
            hint = hint or "Words are texts, InputValue, InputPath and OutputPath."
            problems.append(Problem(f"{name}: {word!r} is not a word", hint, where))
    return tuple(word for word in given if isinstance(word, _WORDS))


def inputs_of(declared: Any, where: Where, problems: list[Problem]) -> dict[str, Parameter]:
    named = _declared(declared, "inputs", where, problems)
    return {name: Parameter(name, kind, default, where=where) for name, kind, default in named}


def outputs_of(declared: Any, where: Where, problems: list[Problem]) -> dict[str, Output]:
    named = enumerate(_declared(declared, "outputs", where, problems))
    return {name: Output(name, index, native_name(kind), kind) for index, (name, kind, _) in named}


def _declared(
    declared: Any, what: str, where: Where, problems: list[Problem]
) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of each input or output; another value than a type is a default."""
    if isinstance(declared, Mapping):
        pairs = list(declared.items())
    elif isinstance(declared, Iterable) and not isinstance(declared, str):
        pairs = [(name, str) for name in declared]
    else:
        hint = f'Write {what}={{"name": str}}.'
        message = f"{what}={declared!r} is not a dict of names and types"
        problems.append(Problem(message, hint, where))
        return
    for name, kind in pairs:
        if not (isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)):
            hint = "Names are letters, digits and underscores, as of Python variables."
            problems.append(Problem(f"{what}: {name!r} is not a name", hint, where))
        elif _is_type(kind):
            yield name, kind, REQUIRED
        elif what == "inputs" and _is_type(type(kind)):
            yield name, type(kind), kind
        else:
            shown = kind.__name__ if isinstance(kind, type) else repr(kind)
            hint = "Types are int, float, str, bool, list, dict, and Path for a file."
            message = f"{what}: {name!r} cannot be of type {shown}"
            problems.append(Problem(message, hint, where))


def _is_type(kind: Any) -> bool:
    # Defaults of inputs come here too, and a list has no hash.
    return isinstance(kind, Hashable) and (kind is Path or native_name(kind) is not None)


def check(definition: ContainerDef) -> list[Problem]:
    """Whether the words and the declared inputs and outputs belong together."""
    problems = []
    where = definition.where
    words = [*walk(definition.command), *walk(definition.args)]
    for word in words:
        known = definition.outputs if isinstance(word, OutputPath) else definition.inputs
        if not isinstance(word, (str, Concat)) and word.name not in known:
            kind = "output" if isinstance(word, OutputPath) else "input"
            hint = did_you_mean(word.name, known) or f"Declare it in {kind}s=…"
            message = f"{type(word).__name__}({word.name!r}) names no {kind} of {definition.name!r}"
            problems.append(Problem(message, hint, where))
    written = {word.name for word in words if isinstance(word, OutputPath)}
    for name in definition.outputs:
        if name not in written:
            hint = (
                f"Give the container OutputPath({name!r}), and let it write the value to that file."
            )
            problems.append(Problem(f"nothing writes the output {name!r}", hint, where))
    for name, parameter in definition.inputs.items():
        if parameter.default is not REQUIRED and parameter.default is not None:
            try:
                convert(parameter.default, parameter.type, name=name)
            except UsageError as error:
                problems.append(Problem(error.message, error.hint, where))
    return problems
