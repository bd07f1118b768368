"""``os._exit`` in the user's script: it would end this process without a word."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from kalelite.errors import Where
from kalelite.source import locations as places

__all__ = ["Judge", "judged_exits"]

Judge = Callable[[int, Where], int]
"""Given an exit code and the place that asks for it, says the exit code to leave with."""


@contextmanager
def judged_exits(judge: Judge, script: str) -> Iterator[None]:
    """Ask `judge` before a call of ``os._exit`` ends this process.

    Processes that the script forks end as they like. Who keeps the function beyond the block
    (`atexit`, say) is judged there, too.

    Parameters
    ----------
    judge
        May print; what it returns is the exit code.
    script
        The path of the script: its innermost line is the place, if it is on the way.
    """
    real, owner, module = os._exit, os.getpid(), sys.modules[os.name]

    @functools.wraps(real)  # a step that holds it is pickled with the name of the real one
    def leave(status: int) -> NoReturn:
        if os.getpid() == owner and isinstance(status, int):
            status = judge(status & 0xFF, _place(script))
        real(status)

    os._exit = module._exit = leave  # type: ignore[attr-defined]  # noqa: SLF001 - as os has it
    try:
        yield
    finally:
        os._exit = module._exit = real  # type: ignore[attr-defined]  # noqa: SLF001


def _place(script: str) -> Where:
    leaving = frame = sys._getframe(1)  # noqa: SLF001 - `leave`, which atexit calls from nowhere
    while frame.f_code.co_filename != script and frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_filename != script:
        frame = leaving.f_back or leaving
    return places.of_frame(frame)
