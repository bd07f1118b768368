"""``kalelite formats``: which types are stored in which format."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from contextlib import suppress
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.display.screen import Line
    from kalelite.marshal import FormatStatus

_COLORS = {"active": "green", "waiting": "dim", "absent": "dim", "broken": "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether the libraries are imported first."""
    parser.add_argument(
        "--load", action="store_true", help="import the installed libraries first, to see all"
    )
    add_setting(parser, "output")


def perform(command: Command) -> int:
    """Print which formats are active, waiting for their library, or broken."""
    from kalelite.marshal import formats_status

    installed: dict[str, bool] = {}
    for status in formats_status():
        with suppress(ImportError, ValueError):
            installed[status.root] = importlib.util.find_spec(status.root) is not None
        if command.options.load and installed.get(status.root):
            with suppress(Exception):  # a library may do anything; its format says it is broken
                importlib.import_module(status.root)
    if command.as_json:
        for status in formats_status():
            command.write_json({"format": status})
        return ExitCode.OK
    command.out.table(
        _row(status, installed=installed.get(status.root, True)) for status in formats_status()
    )
    return ExitCode.OK


def _row(status: FormatStatus, *, installed: bool) -> Line:
    state, text = status.state, ", ".join(status.encodings) or "inside pickles"
    if state == "waiting" and not installed:
        state, text = "absent", "the library is not installed here"
    elif state in {"waiting", "broken"}:
        text = status.reason
    source = "" if status.source == "kalelite" else f" (from {status.source})"
    return (state, _COLORS.get(state, "bold")), status.root, text + source
