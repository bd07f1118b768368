"""Ctrl-C and its kin, turned into a count that the run looks at."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """How often the user asked to stop; ``fileno`` is readable after each time."""

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
        replaced = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                old = signal.getsignal(number)
                if old is not signal.SIG_IGN and old is not None:
                    replaced[number] = old
                    signal.signal(number, self._take)
        try:
            yield
        finally:
            for number, old in replaced.items():
                signal.signal(number, old)
            os.close(self._reader)
            os.close(self._writer)

    def _take(self, number: int, frame: Any) -> None:
        del number, frame
        self.count += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"!")
