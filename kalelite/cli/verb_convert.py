"""``kalelite convert book.ipynb -o train.py``: a notebook as a script with steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The notebook, and the script's file."""
    parser.add_argument(
        "script", metavar="NOTEBOOK", help="a notebook, with or without Kale's tags"
    )
    parser.add_argument("-o", "--file", metavar="FILE", help="write the script to FILE")


def perform(command: Command) -> int:
    """Print the script, or write it."""
    options = command.options
    if not options.script.endswith(".ipynb"):
        raise UsageError(f"{options.script} is no notebook", hint="kalelite convert book.ipynb")
    from kalelite.notebook.book import open_book
    from kalelite.notebook.script_text import script_of

    book = open_book(options.script, command.err.line, run_shell=False)
    text, notes = script_of(book.notebook)
    for note in notes:
        command.err.line(note)
    if options.file is None:
        command.out.write(text)
        return ExitCode.OK
    try:
        Path(options.file).write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{options.file} cannot be written: {error.strerror}") from None
    command.err.line(f"wrote {options.file}")
    return ExitCode.OK
