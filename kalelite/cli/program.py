"""What the user gave to be run: a script, or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from kalelite.source.script import ScriptExit, read_script

if TYPE_CHECKING:
    from kalelite.cli.command import Command


class Program(Protocol):
    """Something with pipelines that Python runs as ``__main__``."""

    @property
    def name(self) -> str:
        """How the user called it."""

    @property
    def path(self) -> str:
        """Its file."""

    @property
    def text(self) -> str:
        """Its source, or at least its imports."""

    def as_main(self, arguments: Sequence[str]) -> AbstractContextManager[ModuleType]:
        """Be the interpreter that runs it."""

    def import_path(self) -> list[str]:
        """The ``sys.path`` that it will have."""

    def execute(self, module: ModuleType) -> ScriptExit:
        """Run its code in a module."""

    def holds(self, file: str) -> bool:
        """Whether a place is in it."""

    def hint(self, error: BaseException) -> str:
        """What to do about an error that it has raised."""


def open_program(command: Command) -> Program:
    """Read the script or notebook that was given.

    Raises `UsageError`, `ScriptError`: as `read_script` does.
    """
    options = command.options
    if options.script and not options.module and options.script.endswith(".ipynb"):
        from kalelite.notebook.book import open_book

        keep = command.writes_notebook
        return open_book(options.script, command.err.line, run_shell=options.run_shell, keep=keep)
    return read_script(options.script, options.module)
