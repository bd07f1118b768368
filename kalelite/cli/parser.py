"""The command line: from words to a verb and its arguments.

A verb is a module ``verb_NAME`` beside this one, with the two functions of `Verb`, and a line in
`VERBS`. Only the module of the verb that was given is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, cast

from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.settings import SETTINGS

if TYPE_CHECKING:
    from kalelite.cli.command import Command

VERBS: Final = {
    "runs": "list the runs",
    "show": "what a run did: states, values, metrics, artifacts",
    "compare": "runs beside each other: parameters, metrics, times, code",
    "ui": "the runs as pages in a browser, which renew themselves",
    "logs": "what the steps of a run printed",
    "resume": "go on with a run that failed or was stopped",
    "explain": "why the steps of a run ran or were taken from an earlier one",
    "follow": "a run on Kubeflow Pipelines, from where it is to its end",
    "get": "what a run gave; -o writes it to a file, --fetch brings it from the cluster",
    "sweep": "a run for each value of parameters, and which was best",
    "tag": "name a run, and note something about it",
    "delete": "remove runs, and what nothing refers to any more",
    "recurring": "pipelines that Kubeflow Pipelines runs by a schedule",
    "cancel": "end a run on Kubeflow Pipelines",
    "graph": "a picture of a script's pipeline",
    "convert": "a notebook as a script with steps",
    "check": "all problems of a script's pipelines, without running anything",
    "snapshot": "take snapshots of all volumes of a notebook",
    "formats": "which types are stored in which format",
    "snapshots": "list, restore and delete the states that pipelines have kept",
    "clean": "free what no run refers to",
    "doctor": "what may be done in a namespace of the cluster, and the roles that are missing",
    "config": "every setting, its value and where it came from",
}
"""Each verb and its help; ``run`` is what a script without a verb asks for."""

PICTURES = ("text", "mermaid", "svg", "html")

_EPILOG = """\
verbs (kalelite VERB --help shows more; a script of that name is reached as ./VERB):
{verbs}

exit codes: 0 done, 1 a step failed, 2 usage, 3 the script could not be imported,
4 the pipeline is wrong, 5 the cluster, 130 interrupted
"""


class Verb(Protocol):
    """What the module of a verb has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what may be given."""

    def perform(self, command: Command) -> int:
        """Do it; the exit code."""


@frozen
class Request:
    """What was asked: a verb, its arguments, and those of the script, which stand after ``--``."""

    name: str
    verb: Verb
    options: argparse.Namespace
    script_args: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help lists what may be given.")


def add_setting(parser: argparse._ActionsContainer, name: str, help: str = "") -> None:
    """The flag of a setting."""
    setting = SETTINGS[name]
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        choices=setting.choices or None,
        metavar=setting.metavar,
        help=help or setting.help,
    )


def _module(name: str) -> Verb:
    return cast("Verb", importlib.import_module(f"{__package__}.verb_{name}"))


def _parser(name: str, verb: Verb) -> _Parser:
    description = f"{VERBS.get(name, '')[:1].upper()}{VERBS.get(name, '')[1:]}."
    usage = epilog = None
    if name == "run":
        description = (
            "Run the pipeline of a Python script: here, or with --kfp on Kubeflow Pipelines."
        )
        usage = (
            "kalelite SCRIPT [options] [-- the script's own arguments]\n       kalelite VERB ..."
        )
        lines = (f"  {verb:<10} {help}" for verb, help in VERBS.items())
        epilog = _EPILOG.format(verbs="\n".join(lines))
    parser = _Parser(
        prog="kalelite" if name == "run" else f"kalelite {name}",
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=28, width=96
        ),
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    return parser


def parse(argv: Sequence[str]) -> Request:
    """Read the command line.

    Raises `UsageError`: an option is unknown, misspelt, or has no meaning beside another one;
    `SystemExit`: with code 0, after ``--help``.
    """
    words = list(argv)
    script_args: tuple[str, ...] = ()
    if "--" in words:
        cut = words.index("--")
        words, script_args = words[:cut], tuple(words[cut + 1 :])
    name = words.pop(0) if words and words[0] in VERBS else "run"
    if name == "run":
        _suggest_verb(words)
    verb = _module(name)
    parser = _parser(name, verb)
    options, extra = parser.parse_known_intermixed_args(_with_format(words))
    if extra:
        raise _unexpected(parser, extra[0])
    if script_args and not hasattr(options, "parameters"):  # which `add_script` adds
        raise UsageError(f"kalelite {name} runs no script and takes no arguments after --")
    script = getattr(options, "script", None)
    if name == "run" and script in VERBS:
        raise UsageError(
            f"{script} is a verb and stands first",
            hint=f"Write kalelite {script} ..., or ./{script} for a script of that name.",
        )
    return Request(name, verb, options, script_args)


def _with_format(words: Sequence[str]) -> list[str]:
    """The words with a value for each ``--graph`` that no format follows: it may be left out."""
    following = (*words[1:], "")
    return [
        "--graph=auto" if word == "--graph" and after not in PICTURES else word
        for word, after in zip(words, following, strict=False)
    ]


def _unexpected(parser: _Parser, word: str) -> UsageError:
    name, equals, _ = word.partition("=")
    if equals and name.isidentifier():
        return UsageError(
            f"unexpected argument {word!r}", hint=f"A pipeline parameter is given as -p {word}"
        )
    if not word.startswith("-"):
        return UsageError(
            f"unexpected argument {word!r}",
            hint="What the script itself should see goes after --: kalelite SCRIPT -- arguments",
        )
    import difflib

    name = word.split("=", 1)[0]
    known = re.findall(r"--[a-z][a-z-]*", parser.format_help())
    close = difflib.get_close_matches(name, known, 1, 0.75)
    if close:
        hint = f"Did you mean {close[0]}? Options of the script itself go after --."
    else:
        bare = name.lstrip("-").replace("-", "_")
        hint = (
            f"A pipeline parameter is given as -p {bare}=..., and options of the script itself"
            f" go after --: kalelite SCRIPT -- {word}"
        )
    return UsageError(f"unknown option {name}", hint=hint)


def _suggest_verb(words: Sequence[str]) -> None:
    word = next(iter(words), "-")
    if word.startswith("-") or "." in word or os.sep in word or os.path.exists(word):
        return
    import difflib

    close = difflib.get_close_matches(word, VERBS, 1)
    if close:
        raise UsageError(
            f"no script and no verb is called {word!r}", hint=f"Did you mean kalelite {close[0]}?"
        )


def run_help() -> str:
    """What the command can do."""
    return _parser("run", _module("run")).format_help()
