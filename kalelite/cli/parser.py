"""The command line: what may be asked, as data."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from kalelite.errors import UsageError

__all__ = ["OUTPUTS", "PICTURES", "VERBS", "Request", "parse", "print_help"]

PICTURES = ("text", "mermaid", "svg", "html")
OUTPUTS = ("auto", "plain", "json")
_SUFFIXES = {".mmd": "mermaid", ".svg": "svg", ".html": "html", ".htm": "html"}
_BY_NAME = "if nothing is said, by the suffix of FILE (.svg, .html, .mmd), else text"

VERBS: Mapping[str, str] = {
    "runs": "list the runs",
    "show": "what a run did: states, values, metrics, artifacts",
    "logs": "what the steps of a run printed",
    "graph": "a picture of a script's pipeline",
    "check": "all problems of a script's pipelines, without running anything",
    "formats": "which types are stored in which format",
    "clean": "free what no run refers to",
    "config": "every setting, its value and where it came from",
}

_EPILOG = """\
verbs (kalelite VERB --help tells more; a script of that name is reached as ./VERB):
{verbs}

exit codes: 0 done, 1 a step failed, 2 usage, 3 the script could not be imported,
4 the pipeline is wrong, 5 the cluster, 130 interrupted
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. ``verb`` is "run" for a script; ``flags`` are the settings that were given."""

    verb: str
    script: str = ""
    script_args: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help lists what may be given.")


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=96)


def _new(prog: str, description: str, *, usage: str | None = None, epilog: str = "") -> _Parser:
    return _Parser(
        prog=prog,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=_formatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )


def _add_script(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="a Python file with a pipeline")
    parser.add_argument(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        dest="parameters",
        action="append",
        help="the value of a pipeline parameter; may be repeated",
    )
    parser.add_argument("--pipeline", metavar="NAME", help="which pipeline, if there are several")


def _add_output(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        help="auto: a live table on a terminal, else lines; plain: lines; json: one object a line",
    )


def _add_home(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--home", metavar="FOLDER", help="where runs and values are kept")


def _run_parser() -> _Parser:
    verbs = "\n".join(f"  {name:<10} {text}" for name, text in VERBS.items())
    parser = _new(
        "kalelite",
        "Run the pipeline of a Python script: here, or with --kfp on Kubeflow Pipelines.",
        usage="kalelite SCRIPT [options] [-- the script's own arguments]\n       kalelite VERB ...",
        epilog=_EPILOG.format(verbs=verbs),
    )
    _add_script(parser)
    parser.add_argument("--version", action="store_true", help="print the version")
    here = parser.add_argument_group("running here")
    here.add_argument("--jobs", metavar="N", help="at most N steps at once (default: the cores)")
    here.add_argument(
        "--debug",
        action="store_true",
        help="run in this process, one step after the other, so that breakpoint() works",
    )
    here.add_argument(
        "--no-cache",
        action="store_true",
        help="run steps with cache=True anew, and keep their new results",
    )
    _add_output(here)
    _add_home(here)
    look = parser.add_argument_group("looking without running")
    look.add_argument("--check", action="store_true", help="print all problems, start nothing")
    look.add_argument(
        "--graph",
        choices=PICTURES,
        metavar="FORMAT",
        help=f"print a picture: {', '.join(PICTURES)}; {_BY_NAME}",
    )
    look.add_argument("-o", "--file", metavar="FILE", help="write the picture to FILE")
    kfp = parser.add_argument_group("Kubeflow Pipelines")
    kfp.add_argument("--kfp", action="store_true", help="run on Kubeflow Pipelines")
    kfp.add_argument("--compile", metavar="FILE", help="with --kfp: write the compiled pipeline")
    kfp.add_argument(
        "--dry-run", action="store_true", help="with --kfp: check all, show what would be created"
    )
    return parser


def _add_picture(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--graph", "--format", choices=PICTURES, help=_BY_NAME)
    parser.add_argument("-o", "--file", metavar="FILE", help="write the picture to FILE")


def _add_limit(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--limit", type=int, metavar="N", help="the newest N (default: 20)")


def _add_run(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run's id, or last (the default)")


def _add_logs(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("step", metavar="STEP", nargs="?", help="one step (default: all)")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines")


def _add_load(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--load", action="store_true", help="import the installed libraries first, to see all"
    )


def _add_clean(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--store", action="store_true", help="values that no run refers to")
    parser.add_argument(
        "--older-than",
        metavar="TIME",
        help="leave what was stored later, as 30m or 2h (default: 1h); runs may still be going on",
    )


def _add_seen_by(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="as this script sees them")


_TAKES: Mapping[str, tuple[Callable[[argparse._ActionsContainer], None], ...]] = {
    "runs": (_add_limit, _add_output, _add_home),
    "show": (_add_run, _add_output, _add_home),
    "logs": (_add_run, _add_logs, _add_home),
    "graph": (_add_script, _add_picture),
    "check": (_add_script, _add_output),
    "formats": (_add_load, _add_output),
    "clean": (_add_clean, _add_home),
    "config": (_add_seen_by, _add_output, _add_home),
}


def _verb_parser(verb: str) -> _Parser:
    parser = _new(f"kalelite {verb}", f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.")
    for add in _TAKES[verb]:
        add(parser)
    return parser


def _without_bare_graph(argv: Sequence[str]) -> list[str]:
    """`argv` without a ``--graph`` that no format follows: it may be left out."""
    following = [*argv[1:], ""]
    return [
        word
        for word, after in zip(argv, following, strict=True)
        if word != "--graph" or after in PICTURES
    ]


def _format(values: Mapping[str, Any]) -> str:
    """The format of a picture that none was asked for."""
    return _SUFFIXES.get(os.path.splitext(values.get("file", ""))[1].lower(), "text")  # noqa: PTH122 - names that pathlib would choke on


def _parse(parser: _Parser, words: Sequence[str]) -> dict[str, Any]:
    values, extra = parser.parse_known_intermixed_args(list(words))
    if extra:
        raise _unexpected(parser, extra[0])
    return vars(values)


def _unexpected(parser: _Parser, word: str) -> UsageError:
    if not word.startswith("-"):
        return UsageError(
            f"unexpected argument {word!r}",
            hint="What the script itself should see goes after --: kalelite SCRIPT -- arguments",
        )
    import difflib

    name = word.split("=", 1)[0]
    known = [option for action in parser._actions for option in action.option_strings]  # noqa: SLF001 - argparse has no public list
    close = difflib.get_close_matches(name, known, 1, 0.7)
    if close:
        return UsageError(
            f"unknown option {name}",
            hint=f"Did you mean {close[0]}? Options of the script itself go after --.",
        )
    bare = name.lstrip("-").replace("-", "_")
    return UsageError(
        f"unknown option {name}",
        hint=f"A pipeline parameter is given as -p {bare}=..., and options of the script itself"
        f" go after --: kalelite SCRIPT -- {word}",
    )


def _suggest_verb(words: Sequence[str]) -> None:
    word = next(iter(words), "-")
    if word.startswith("-") or "." in word or os.sep in word or os.path.exists(word):  # noqa: PTH110 - names that pathlib would choke on
        return
    import difflib

    close = difflib.get_close_matches(word, VERBS, 1)
    if close:
        raise UsageError(
            f"no script and no verb is called {word!r}", hint=f"Did you mean kalelite {close[0]}?"
        )


def _pairs(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"-p {text!r} has no value", hint="Write -p name=value.")
        if name in pairs:
            raise UsageError(f"-p {name} is given twice", hint="Give each parameter once.")
        pairs[name] = value
    return tuple(pairs.items())


_SETTINGS = frozenset({"jobs", "output", "home"})


def _request(verb: str, values: dict[str, Any], script_args: tuple[str, ...]) -> Request:
    flags = {name: values.pop(name) for name in sorted(_SETTINGS & values.keys())}
    script = values.pop("script", "")
    return Request(
        verb=verb,
        script=script,
        script_args=script_args,
        parameters=_pairs(values.pop("parameters", ())),
        flags=flags,
        options=values,
    )


def _hold_together(options: Mapping[str, Any], flags: Mapping[str, Any]) -> None:
    """Refuse options that would be ignored beside each other."""
    kfp = bool(options.get("kfp") or options.get("compile"))
    if options.get("dry_run") and not kfp:
        raise UsageError(
            "--dry-run goes with --kfp",
            hint="Here, --check prints all problems of a pipeline without running it.",
        )
    modes = [name for name in ("check", "graph") if options.get(name)]
    if len(modes) > 1:
        raise UsageError("--check and --graph cannot be given together")
    if "file" in options and "graph" not in options:
        raise UsageError("-o goes with --graph: it is where the picture is written")
    if "output" in flags and "graph" in options:
        raise UsageError("--output is about runs and has no meaning with --graph")
    spelled = {"jobs": "--jobs", "debug": "--debug", "no_cache": "--no-cache", "home": "--home"}
    here = [name for name in spelled if name in flags or options.get(name)]
    other = f"--{modes[0]}" if modes else "--kfp" if kfp else ""
    if here and other:
        raise UsageError(
            f"{spelled[here[0]]} is about running here and has no meaning with {other}",
            hint="Leave one of them out.",
        )
    if "graph" in modes and kfp:
        raise UsageError("--graph shows the plan, which is the same with and without --kfp")


def parse(argv: Sequence[str]) -> Request:
    """Read the command line.

    Raises
    ------
    UsageError
        An option is unknown, misspelt, or has no meaning beside another one.
    SystemExit
        With code 0, after ``--help``.
    """
    words = list(argv)
    script_args: tuple[str, ...] = ()
    if "--" in words:
        cut = words.index("--")
        words, script_args = words[:cut], tuple(words[cut + 1 :])
    given, words = len(words), _without_bare_graph(words)
    bare = len(words) < given
    if words and words[0] in VERBS:
        values = _parse(_verb_parser(words[0]), words[1:])
        if words[0] in {"graph", "check"}:
            values.setdefault(words[0], _format(values) if words[0] == "graph" else True)
            return _request("run", values, script_args)
        if script_args:
            raise UsageError(f"kalelite {words[0]} runs no script and takes no arguments after --")
        return _request(words[0], values, ())
    _suggest_verb(words)
    values = _parse(_run_parser(), words)
    if values.get("script") in VERBS:
        verb = values["script"]
        raise UsageError(
            f"{verb} is a verb and stands first",
            hint=f"Write kalelite {verb} ..., or ./{verb} for a script of that name.",
        )
    if bare:
        values.setdefault("graph", _format(values))
    _hold_together(values, {name: values[name] for name in _SETTINGS & values.keys()})
    return _request("run", values, script_args)


def print_help() -> None:
    """Print what the command can do."""
    _run_parser().print_help(sys.stdout)
