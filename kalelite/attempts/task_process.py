"""What the process of a task has and does, apart from the task: handlers, streams, its end."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from kalelite.attempts import posix
from kalelite.executor.failure import Terminated

_EXIT_TIMEOUT = 5
"""Seconds that exit functions may take once the task is over."""

_crashes = os.open(os.devnull, os.O_WRONLY)
"""Where the fault handler writes: a descriptor that no step knows, and so none closes."""


def get_ready() -> None:
    """Give this process what each task's needs and inherits: handlers of signals, and streams.

    Done once, by the process that is forked, because to do it costs more than a fork does. It is
    done again when that has imported something, which may have put its own in their place.
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(_crashes, all_threads=False)
    sys.stdout = sys.__stdout__ = _text(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2)  # type: ignore[misc]


def write_crashes_to(descriptor: int) -> None:
    """Let the fault handler write there."""
    os.dup2(descriptor, _crashes, False)


def leave(code: int, done: Callable[[], None] = lambda: None) -> NoReturn:
    """End this process as Python ends; ``done`` is called when all is written."""
    _run_exit_functions()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    posix.flush_c()
    done()
    os._exit(code)


def _run_exit_functions() -> None:
    """Run what was registered with atexit; whatever takes too long ends with this process."""
    if not atexit._ncallbacks():
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_EXIT_TIMEOUT)
    try:
        atexit._run_exitfuncs()  # os._exit, which ends forked processes, skips them
    except BaseException:  # the task is over; its record stands
        with contextlib.suppress(BaseException):
            traceback.print_exc()


def _text(fd: int) -> Any:
    """A text stream that shows each line at once and refuses nothing."""
    raw = open(fd, "wb", buffering=0, closefd=False)  # closed by nobody
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def _end(number: int, _: Any) -> None:
    """SIGTERM: leave as sys.exit would, so that ``finally`` and ``with`` do their work."""
    raise Terminated(128 + number)
