"""A copy of a notebook with the outputs of its run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from kalelite.cli.script_run import run_script
from kalelite.notebook.run_outputs import RunOutputs

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.cli.program import Program
    from kalelite.cli.run_view import RunView
    from kalelite.cli.script_backend import Act
    from kalelite.notebook.book import Book


def run_and_write(command: Command, program: Program, act: Act, view: RunView) -> int:
    """Run a notebook and write it with its outputs, however it ends; the exit code."""
    book = cast("Book", program)
    view.also = RunOutputs(book)
    file = Path(command.options.file).absolute()
    try:
        return run_script(command, book, act, view)
    finally:
        book.outputs.write(book.notebook, file)
        command.err.line(f"wrote {command.options.file}")
