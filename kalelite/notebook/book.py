"""A notebook as a program: its cells run in order, and what they define are its pipelines."""

from __future__ import annotations

import builtins
import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from kalelite.errors import ScriptError, book_of, referred_name
from kalelite.frozen import frozen
from kalelite.notebook.cell_outputs import CellOutputs
from kalelite.notebook.ipynb import NotebookFile, read_notebook
from kalelite.notebook.tags import is_tagged, read_tags
from kalelite.source.script import ScriptExit, last_place, path_from


@frozen
class Book:
    """A notebook that is run as ``__main__``. ``note`` shows a line to the user."""

    notebook: NotebookFile
    note: Callable[[str], None]
    outputs: CellOutputs
    run_shell: bool = False

    @property
    def name(self) -> str:
        """How the user called it."""
        return self.notebook.name

    @property
    def path(self) -> str:
        """Its file."""
        return self.notebook.path

    @property
    def text(self) -> str:
        """The cells without magics and shell lines."""
        cells = (cell.source for cell in self.notebook.running())
        lines = (line for text in cells if not text.startswith("%%") for line in text.splitlines())
        return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))

    def import_path(self) -> list[str]:
        """``sys.path`` with the notebook's folder first."""
        return path_from(str(Path(self.path).parent))

    @contextmanager
    def as_main(self, arguments: Sequence[str]) -> Iterator[ModuleType]:
        """Be the kernel that runs it: ``__main__``, ``sys.path[0]``, the notebook's folder."""
        module = ModuleType("__main__")
        module.__dict__["__builtins__"] = builtins
        before = sys.modules.get("__main__"), sys.argv, list(sys.path)
        sys.path[:] = self.import_path()
        sys.modules["__main__"] = module
        sys.argv = [self.name, *arguments]
        try:
            with chdir(Path(self.path).parent):
                yield module
        finally:
            if before[0] is not None:
                sys.modules["__main__"] = before[0]
            sys.argv = before[1]
            sys.path[:] = before[2]

    def execute(self, module: ModuleType) -> ScriptExit:
        """Run the cells in `module`, as IPython would.

        Whatever they raise comes through, but for SystemExit, which is reported.
        """
        from kalelite.notebook.shell import run_cell, shell_for
        from kalelite.notebook.tagged_run import run_tagged

        gc.freeze()
        gc.enable()
        try:
            with shell_for(module, self.outputs, self.note, run_shell=self.run_shell) as shell:
                if is_tagged(self.notebook):
                    run_tagged(read_tags(self.notebook), shell, self.note)
                    return ScriptExit()
                for cell in self.notebook.running():
                    run_cell(shell, cell)
        except SystemExit as error:
            return ScriptExit(error.code, last_place(error, self.holds))
        return ScriptExit()

    def holds(self, file: str) -> bool:
        """Whether a place is in one of its cells, or of those of a notebook that it refers to."""
        return book_of(file) == self.path or bool(referred_name(file))

    def hint(self, error: BaseException) -> str:
        """What to do about an error that a cell has raised."""
        del error
        return ""


def open_book(
    name: str, note: Callable[[Any], None], *, run_shell: bool, keep: bool = False
) -> Book:
    """Read a notebook that is about to be run, and its outputs kept if need be.

    Raises `ScriptError`: it cannot be read, or IPython is not installed.
    """
    notebook = read_notebook(name)
    if importlib.util.find_spec("IPython") is None:
        raise ScriptError(
            f"{name} is a notebook, and IPython, which runs its cells, is not installed",
            hint="pip install 'kalelite[notebook]'",
        )
    return Book(notebook, note, CellOutputs(wanted=keep), run_shell)
