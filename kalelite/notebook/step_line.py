"""The line of ``%%step``: a name, options, inputs and outputs."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

from kalelite.errors import UsageError, Where
from kalelite.frozen import frozen
from kalelite.plan.options import step_options

_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|\S)+""")
_TEXT = re.compile(r"[\w.:/@+-]+")
_USAGE = "Write `%%step NAME`, then options as `memory=8Gi cache=True`, `-i a,b`, `-o c,d`."


@frozen
class StepMagic:
    """What stands behind ``%%step``; None for inputs or outputs is to find them.

    ``options`` are expressions of Python.
    """

    name: str
    options: Mapping[str, str]
    inputs: tuple[str, ...] | None
    outputs: tuple[str, ...] | None

    def values(self, where: Where, evaluate: Callable[[str], Any]) -> dict[str, Any]:
        """The options, by what gives the value of an expression.

        Raises `UsageError`: an option is not usable.
        """
        options: dict[str, Any] = {}
        for key, text in self.options.items():
            try:
                options[key] = evaluate(text)
            except Exception as error:
                message = f"%%step cannot read {key}={text}: {error}"
                raise UsageError(message, where=where) from error
        _, problems = step_options(where, **options)
        if problems:
            raise UsageError.of(tuple(problems))
        return options


def read_line(line: str, where: Where) -> StepMagic:
    """Read the line of ``%%step``.

    Raises `UsageError`: it cannot be understood.
    """
    words = _WORD.findall(line)
    if not words or not _is_name(words[0]):
        what = f"%%step cannot name a step {words[0]!r}" if words else "%%step has no name"
        raise UsageError(what, hint=_USAGE, where=where)
    options: dict[str, str] = {}
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
            options[key] = _expression(text)
        else:
            raise UsageError(f"%%step does not know {word!r}", hint=_USAGE, where=where)
    return StepMagic(words[0], options, names.get("-i"), names.get("-o"))


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def _expression(text: str) -> str:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return repr(text) if _TEXT.fullmatch(text) else text  # 8Gi, python:3.11
    return text
