"""IPython in this process: it runs the cells of a notebook as a kernel would."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, cast

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.text import SList
from traitlets import Type
from traitlets.config import Config

from kalelite.errors import ScriptError, place_text
from kalelite.notebook.cell_outputs import CellOutputs
from kalelite.notebook.ipynb import Cell, file_of
from kalelite.source.locations import of_syntax_error

_SHELL_LINES = frozenset({"pip", "conda", "mamba", "micromamba", "uv", "sx", "system", "sc"})
_SHELL_CELLS = frozenset({"bash", "sh", "script", "cmd", "sx", "system", "!", "perl", "ruby"})
_TRANSPARENT = frozenset({"time", "capture"})
"""Cell magics that run the rest of the cell as it is, which may define steps."""

Note = Callable[[str], None]


class CellCompiler(CachingCompiler):
    """Names the source of a cell by the notebook and the cell's number."""

    file = "In[0]"

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The name of the cell that runs now."""
        del raw_code, transformed_code, number
        return self.file

    def __call__(self, source: Any, filename: str, symbol: str, **kwargs: Any) -> Any:
        """Compile; what ``%%time`` compiles is of the cell, too."""
        name = self.file if filename == "<timed exec>" else filename
        return super().__call__(source, name, symbol, **kwargs)


class TextDisplayHook(DisplayHook):
    """Prints the value of a cell's last expression as text."""

    def write_output_prompt(self) -> None:
        """No ``Out[3]:`` where nobody types."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Print the text, and keep all."""
        shell = cast("CellShell", self.shell)
        number = shell.cell.number if shell.cell else 0
        shell.outputs.result(number, dict(format_dict), dict(md_dict or {}))
        shell.outputs.show(format_dict)

    def finish_displayhook(self) -> None:
        """Nothing is left open."""
        sys.stdout.flush()


class TextDisplayPublisher(DisplayPublisher):
    """Prints what is displayed as text."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **kwargs: Any,
    ) -> None:
        """Print the text, and keep all."""
        del source, kwargs
        outputs = cast("CellShell", self.shell).outputs
        outputs.display(data, metadata or {}, transient or {}, update=update)
        if not update:
            outputs.show(data)

    def clear_output(self, wait: bool = False) -> None:
        """Forget what the cell has given so far."""
        del wait
        cast("CellShell", self.shell).outputs.clear()


class CellShell(InteractiveShell):
    """A shell without a terminal. Shell lines are told and not run, unless they may be."""

    compiler_class = Type(CellCompiler)
    displayhook_class = Type(TextDisplayHook)
    display_pub_class = Type(TextDisplayPublisher)

    cell: Cell | None = None
    outputs: CellOutputs
    run_shell: bool = False
    note: Note

    @property
    def file(self) -> str:
        """The name of the source of the cell that runs."""
        return cast("CellCompiler", self.compile).file

    def system(self, cmd: str) -> None:
        """``!command``."""
        __tracebackhide__ = True  # what goes wrong is the cell's
        if self._may_run(f"!{cmd}"):
            super().system(cmd)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """``lines = !command``."""
        __tracebackhide__ = True  # what goes wrong is the cell's
        if self._may_run(f"!{cmd}"):
            return super().getoutput(cmd, split=split, depth=depth + 1)
        return SList() if split else ""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """``%name line``."""
        __tracebackhide__ = True  # what goes wrong is the cell's
        if magic_name in _SHELL_LINES and not self._may_run(f"%{magic_name} {line}"):
            return None
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """``%%name line`` with the rest of the cell."""
        __tracebackhide__ = True  # what goes wrong is the cell's
        if magic_name in _SHELL_CELLS and not self._may_run(f"%%{magic_name} {line}"):
            return None
        if magic_name in _TRANSPARENT:
            # A comment stands for the magic's own line, so that the others keep their numbers.
            cell = f"# %%{magic_name} {line}\n{cell}"
            keep_source(self.file, self.transform_cell(cell))
        return super().run_cell_magic(magic_name, line, cell)

    def enable_gui(self, gui: Any = None) -> None:
        """Nothing: there are no windows."""

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: what went wrong is raised, and shown once."""

    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, as above."""

    def showindentationerror(self) -> None:
        """Nothing, as above."""

    def _may_run(self, words: str) -> bool:
        if not self.run_shell:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename != self.file:
                frame = frame.f_back
            place = place_text(self.file, frame.f_lineno if frame else 1)
            self.note(f"{place}: not run: {words.strip()} (--run-shell runs such lines)")
        return self.run_shell


def keep_source(file: str, text: str) -> None:
    """Let errors and captures find the source of cells; without a time it is never dropped."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


@contextmanager
def shell_for(
    module: ModuleType, outputs: CellOutputs, note: Note, *, run_shell: bool
) -> Iterator[CellShell]:
    """A shell whose names are those of a module; ``get_ipython()`` gives it meanwhile."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    path = list(sys.path)
    shell = CellShell.instance(user_module=module, user_ns=module.__dict__, config=config)
    sys.path[:] = path  # it has added the empty entry
    shell.outputs, shell.note, shell.run_shell = outputs, note, run_shell
    if not outputs.wanted and shell.display_formatter is not None:
        shell.display_formatter.active_types = ["text/plain"]
    # A step runs where no shell is: there this name prints.
    module.__dict__["display"] = display
    try:
        yield shell
    finally:
        CellShell.clear_instance()


def run_cell(shell: CellShell, cell: Cell) -> None:
    """Run a cell; what it raises comes through.

    Raises `ScriptError`: it is not Python.
    """
    __tracebackhide__ = True
    shell.cell = cell
    file = cast("CellCompiler", shell.compile).file = file_of((cell, 1))
    shell.execution_count = cell.number
    with shell.outputs.of(cell):
        result = shell.run_cell(cell.source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return
        if isinstance(error, SyntaxError) and result.error_before_exec is not None:
            where = of_syntax_error(error, file, "".join(linecache.getlines(file)))
            raise ScriptError(f"{type(error).__name__}: {error.msg}", where=where) from error
        raise error
