"""The arguments of the verbs that read a script: ``run``, ``check`` and ``graph``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from kalelite.cli.parser import PICTURES
from kalelite.errors import UsageError

_SUFFIXES = {".mmd": "mermaid", ".svg": "svg", ".html": "html", ".htm": "html"}
_TEXTS = {"", ".txt", ".text", ".md", ".log"}
_OTHER_PICTURES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".pdf",
    ".eps",
    ".ps",
    ".webp",
    ".bmp",
    ".tif",
    ".dot",
}


class _Parameter(argparse.Action):
    """Collects ``name=value`` into a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser, option_string
        name, equals, value = str(values).partition("=")
        name = name.strip()
        given = getattr(namespace, self.dest)
        if not equals or not name:
            raise UsageError(f"-p {str(values)!r} has no value", hint="Write -p name=value.")
        if name in given:
            raise UsageError(f"-p {name} is given twice", hint="Give each parameter once.")
        setattr(namespace, self.dest, {**given, name: value})


def add_script(parser: argparse.ArgumentParser) -> None:
    """The script, its pipeline and its parameters."""
    parser.add_argument(
        "script", metavar="SCRIPT", nargs="?", help="a Python file or notebook with a pipeline"
    )
    parser.add_argument("-m", dest="module", metavar="MODULE", help="a module, as python -m has it")
    parser.add_argument(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        dest="parameters",
        action=_Parameter,
        default={},
        help="the value of a pipeline parameter; may be repeated",
    )
    parser.add_argument("--pipeline", metavar="NAME", help="which pipeline, if there are several")
    parser.add_argument(
        "--run-shell",
        action="store_true",
        help="run the shell lines of a notebook (!command, %%pip), which are only named otherwise",
    )


def add_picture(
    parser: argparse._ActionsContainer, *options: str, default: str | None = None
) -> None:
    """The format of a picture, and its file."""
    help = "write the picture to FILE"
    if default is None:
        help += ", or, without one, the notebook with its outputs"
    parser.add_argument(
        *options,
        choices=("auto", *PICTURES),
        default=default,
        metavar="[FORMAT]",
        help=f"a picture: {', '.join(PICTURES)}; if left out, by the suffix of FILE (.svg, .html, "
        ".mmd), else text",
    )
    parser.add_argument("-o", "--file", metavar="FILE", help=help)


def picture_format(options: argparse.Namespace) -> str:
    """The format of the picture that is wanted.

    Raises `UsageError`: the file's suffix is that of another kind.
    """
    suffix = os.path.splitext(options.file or "")[1].lower()
    kind = "text" if suffix in _TEXTS else _SUFFIXES.get(suffix)
    if kind is None and (options.graph == "auto" or suffix in _OTHER_PICTURES):
        raise UsageError(
            f"there are no pictures of the kind {suffix}: {options.file}",
            hint=f"There are {', '.join(_SUFFIXES)}, and .txt for text.",
        )
    return str(options.graph) if options.graph != "auto" else str(kind)
