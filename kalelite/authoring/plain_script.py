"""A pipeline that is called in a script which plain Python runs: there is no command around it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_FLAGS = ("--kfp", "--dry-run", "--compile", "--backend")
_OURS = str(Path(__file__).resolve().parent.parent) + os.sep


def in_kernel() -> bool:
    """Whether a cell runs now, of a notebook that a kernel stands behind."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython is not None else None, "kernel")


@functools.cache
def prepare() -> None:
    """Say which flags plain Python does not know, and let tracebacks end in the user's code."""
    given = [word for word in sys.argv[1:] if word.split("=")[0] in _FLAGS]
    if given:
        command = " ".join(["python -m kalelite", *sys.argv])
        print(
            f"{given[0]} has no effect here, where Python runs the script: {command}",
            file=sys.stderr,
        )
    if sys.excepthook is sys.__excepthook__ and os.environ.get("KALELITE_DEBUG", "0") in {"", "0"}:
        sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception that nobody caught, without frames of kalelite."""
    for each in _chain(error, set()):
        each.__traceback__ = _of_others(each.__traceback__)
    sys.__excepthook__(kind, error, _of_others(trace))


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from _chain(error.__cause__, seen)
        yield from _chain(error.__context__, seen)


def _of_others(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of kalelite."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    if trace is not None:
        trace.tb_next = _of_others(trace.tb_next)
    return trace
