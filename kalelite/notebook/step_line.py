"""The line of ``%%step``: a name, options, inputs and outputs."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable
from typing import Any

from kalelite.errors import UsageError, Where
from kalelite.frozen import frozen
from kalelite.plan.options import step_options

_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|\S)+""")
_TEXT = re.compile(r"[\w.:/@+-]+")
_USAGE = "Write `%%step NAME`, then options as `memory=8Gi cache=True`, `-i a,b`, `-o c,d`."


@frozen
class StepRequest:
    """What stands behind ``%%step``; None for inputs or outputs is to find them."""

    name: str
    options: dict[str, Any]
    inputs: tuple[str, ...] | None
    outputs: tuple[str, ...] | None


def read_line(line: str, where: Where, evaluate: Callable[[str], Any]) -> StepRequest:
    """Read the line of ``%%step``; ``evaluate`` gives the value of an expression.

    Raises `UsageError`: it cannot be understood, or an option is not usable.
    """
    words = _WORD.findall(line)
    if not words or not _is_name(words[0]):
        what = f"%%step cannot name a step {words[0]!r}" if words else "%%step has no name"
        raise UsageError(what, hint=_USAGE, where=where)
    options: dict[str, Any] = {}
    names: dict[str, tuple[str, ...]] = {}
    rest = iter(words[1:])
    for word in rest:
        key, sign, text = word.partition("=")
        if word in {"-i", "-o"}:
            names[word] = found = tuple(next(rest, "").split(","))
            if not all(map(_is_name, found)):
                hint = f"Write them with commas and without spaces: `{word} a,b`."
                raise UsageError(f"%%step {word} needs names", hint=hint, where=where)
        elif sign and key.isidentifier():
            options[key] = _value(key, text, where, evaluate)
        else:
            raise UsageError(f"%%step does not know {word!r}", hint=_USAGE, where=where)
    _, problems = step_options(where, **options)
    if problems:
        raise UsageError.of(tuple(problems))
    return StepRequest(words[0], options, names.get("-i"), names.get("-o"))


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def _value(key: str, text: str, where: Where, evaluate: Callable[[str], Any]) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        if _TEXT.fullmatch(text):
            return text  # 8Gi, python:3.11
    try:
        return evaluate(text)
    except Exception as error:
        raise UsageError(f"%%step cannot read {key}={text}: {error}", where=where) from error
