"""Ctrl-C, SIGTERM and SIGHUP, turned into a count that the run looks at."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kalelite.authoring.plain_script import in_kernel

_KERNEL_GRACE = 0.5


def stop_grace(grace: float) -> float:
    """Seconds that steps have to end when their run is stopped: few in a notebook, as people wait."""
    return min(grace, _KERNEL_GRACE) if in_kernel() else grace


class Interrupts:
    """How many requests to stop have come; ``fileno`` is readable after each time."""

    def __init__(self) -> None:
        self.count = 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        return self._reader

    def clear(self) -> None:
        """Make ``fileno`` wait for the next time."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Count SIGINT, SIGTERM and SIGHUP meanwhile, where this is the main thread.

        A signal that is ignored, as SIGHUP is under nohup, stays ignored.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        active = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        try:
            with _handled(active, self._take):
                yield
        finally:
            os.close(self._reader)
            os.close(self._writer)

    def _take(self, number: int, frame: Any) -> None:
        del number, frame
        self.count += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"!")


def ends_as_interrupts() -> contextlib.AbstractContextManager[None]:
    """Meanwhile SIGTERM and SIGHUP do as Ctrl-C does, so that ``finally`` does its work.

    Handlers that are there already stay.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    ends = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    return _handled(ends, signal.default_int_handler)


@contextlib.contextmanager
def _handled(
    numbers: Iterable[signal.Signals], handler: Callable[[int, Any], Any]
) -> Iterator[None]:
    """Meanwhile these signals go to a handler, where this is the main thread."""
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            old = signal.getsignal(number)
            if old is not None:  # else it is of somebody who is not Python
                replaced[number] = old
                signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in replaced.items():
            signal.signal(number, old)
