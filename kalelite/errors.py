"""Every error that kalelite raises, and the exit code that each one means.

    KaleliteError
    ├── UsageError                2    a flag, a setting or a parameter value
    ├── ScriptError               3    the script could not be read or imported
    ├── PipelineError             4    the pipeline is wrong; carries every Problem found
    ├── CaptureError              4    code or a global that cannot travel to a step
    ├── MarshalError              1    a value that cannot be stored or read back
    │   ├── UnmarshallableError        no format saves it exactly; names the path inside the object
    │   ├── MissingObjectError         the reference points to nothing
    │   ├── CorruptObjectError         the bytes are not those that were written
    │   ├── VersionMismatchError       written by a version that this one cannot read
    │   └── StoreFullError             no room, no quota or no right to write
    ├── TransferError             1    an object store cannot be read or written
    ├── StepError                 1    a step of a run failed
    └── ClusterError              5    Kubernetes or Kubeflow Pipelines

This module imports the standard library only: it travels with the steps.
"""

from __future__ import annotations

import re
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from kalelite.frozen import frozen

if TYPE_CHECKING:
    from typing import Self


class ExitCode(IntEnum):
    """How the command ended."""

    OK = 0
    STEP_FAILED = 1
    USAGE = 2
    SCRIPT = 3
    PIPELINE = 4
    CLUSTER = 5
    INTERRUPTED = 130


_CELLS = re.compile(r"(?:^|\.ipynb:(?:([\w-]+):)?)((?:\+?In\[\d+\](?:@\d+)?)+)$")
_CELL = re.compile(r"In\[(\d+)\](?:@(\d+))?")


def cell_name(file: str) -> str:
    """``In[7]`` for the name by which this kernel has compiled a cell; any other is that itself."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    if shell is None or (file.endswith("]") and _CELLS.search(file)):
        return file
    found = shell.compile.format_code_name(file)
    return file if found is None else str(found[1])


def in_cell(file: str, line: int) -> tuple[int, int] | None:
    """The number of a notebook's cell and the line in it; None for a line of a file.

    ``book.ipynb:In[7]`` names the source of a cell, ``book.ipynb:In[7]@1+In[9]@12`` that of cells
    in a row, each with its first line. So the places of frames are known in every process. Those
    of a notebook to which another one refers have its name: ``book.ipynb:NAME:In[7]``.
    """
    file = cell_name(file)
    cells = _CELLS.search(file) if file.endswith(tuple("0123456789]")) else None
    if cells is None:
        return None
    starts = [(int(number), int(at or 1)) for number, at in _CELL.findall(cells[2])]
    number, first = next((cell for cell in reversed(starts) if cell[1] <= line), starts[0])
    return number, line - first + 1


def book_of(file: str) -> str:
    """The file of the notebook whose cells a name stands for; any other name is that itself."""
    cells = _CELLS.search(file)
    return file if cells is None else file[: cells.start() + len(".ipynb")]


def place_text(file: str, line: int) -> str:
    """``train.py:7``, or ``Cell In[7], line 3``."""
    if file == "<timed exec>":
        return f"the cell under %%time, line {line + 1}"
    cell = in_cell(file, line)
    if cell is None:
        return f"{file}:{line}"
    called = referred_name(file)
    return f"Cell In[{cell[0]}]{f' of {called}' if called else ''}, line {cell[1]}"


def referred_name(file: str) -> str:
    """The name by which a notebook refers to another one, whose cell this is; else empty."""
    cells = _CELLS.search(cell_name(file))
    return (cells[1] or "") if cells else ""


@frozen
class Where:
    """A place in the user's source.

    ``line`` counts from 1, columns from 0 in characters (not bytes); ``end_column`` is
    exclusive. ``text`` is the whole source line without its line break, empty if the source
    is not to be had. Without columns the caret marks the whole line.
    """

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None
    text: str = ""

    def __str__(self) -> str:
        return place_text(self.file, self.line)

    def render(self) -> str:
        """The source line with a caret under the place, or nothing if there is no source."""
        if not self.text.strip():
            return ""
        stripped = self.text.lstrip()
        margin = len(self.text) - len(stripped)
        stripped = stripped.rstrip()
        start = max((self.column if self.column is not None else margin) - margin, 0)
        start = min(start, len(stripped))
        end = (self.end_column - margin) if self.end_column is not None else len(stripped)
        end = min(max(end, start + 1), max(len(stripped), start + 1))
        # A tab before the caret has to stay a tab, or the caret stands in the wrong column.
        indent = "".join("\t" if char == "\t" else " " for char in stripped[:start])
        number = str((in_cell(self.file, self.line) or (0, self.line))[1])
        gutter = " " * len(number)
        return f"  {number} | {stripped}\n  {gutter} | {indent}{'^' * (end - start)}"


@frozen
class Problem:
    """One thing that is wrong with a pipeline, and what to write instead."""

    message: str
    hint: str = ""
    where: Where | None = None

    def render(self) -> str:
        lines = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.where and (source := self.where.render()):
            lines.append(source)
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class KaleliteError(Exception):
    """Base of all errors; ``hint`` says what to do, ``where`` points into the user's file."""

    exit_code: ClassVar[ExitCode] = ExitCode.STEP_FAILED

    def __init__(self, message: str, *, hint: str = "", where: Where | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return Problem(self.message, self.hint, self.where).render()

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the error, without the frames of kalelite that raised it."""
        return [f"{type(self).__name__}: {self}"]


class _SeveralError(KaleliteError):
    """An error that may tell of several things at once; ``problems`` is empty if it is one."""

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: tuple[Problem, ...]) -> Self:
        """One error for all the problems, of which there is at least one."""
        first = problems[0]
        error = cls(first.message, hint=first.hint, where=first.where)
        error.problems = problems
        return error

    def __str__(self) -> str:
        problems = self.problems or (Problem(self.message, self.hint, self.where),)
        return "\n\n".join(problem.render() for problem in problems)


class UsageError(_SeveralError):
    """Flags, settings or parameter values are not usable; ``problems`` holds all found."""

    exit_code = ExitCode.USAGE


class ScriptError(KaleliteError):
    """The user's script could not be read or imported."""

    exit_code = ExitCode.SCRIPT


class PipelineError(KaleliteError):
    """The pipeline is wrong. ``problems`` holds all that was found, in source order."""

    exit_code = ExitCode.PIPELINE

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        first = problems[0]
        super().__init__(first.message, hint=first.hint, where=first.where)

    def __str__(self) -> str:
        return "\n\n".join(problem.render() for problem in self.problems)


class CaptureError(_SeveralError):
    """Code, or a global that it reaches, cannot travel to a step. ``problems`` holds all found."""

    exit_code = ExitCode.PIPELINE


class MarshalError(KaleliteError):
    """A value cannot be stored or read back."""


class UnmarshallableError(MarshalError):
    """No format saves the value exactly. ``path`` is the place inside it: ``['models'][2].lock``."""

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class MissingObjectError(MarshalError):
    """A reference points to an object that is not in the store."""


class CorruptObjectError(MarshalError):
    """An object's bytes are not the ones that were written."""


class VersionMismatchError(MarshalError):
    """An object was written by a Python or library version that cannot be read here."""


class StoreFullError(MarshalError):
    """The store has no room, no quota left, or may not be written."""


class TransferError(KaleliteError):
    """An object store cannot be read or written, or what was copied is not what was sent."""


class StepError(KaleliteError):
    """A step of a run failed; the message tells how, in the user's words."""


class ClusterError(_SeveralError):
    """Kubernetes or Kubeflow Pipelines refused something or did not answer.

    `kalelite.volumes.cluster_errors` has its kinds. ``problems`` holds all found.
    """

    exit_code = ExitCode.CLUSTER
