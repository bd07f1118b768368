"""Digests of mapped payloads are checked in a thread while the step computes.

The step goes first: reading gigabytes beside it would make its first look at its inputs slower.
"""

from __future__ import annotations

import _thread
import contextlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

GRACE = 0.05
"""Seconds that the step has for itself before the first check begins."""


class Verifier:
    """Runs checks one after the other beside the step; `settle` waits and raises."""

    def __init__(self) -> None:
        self._checks: deque[Callable[[], None]] = deque()
        self._lock = _thread.allocate_lock()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def add(self, check: Callable[[], None]) -> None:
        """Run `check` soon; what it raises is raised by `settle`."""
        with self._lock:
            self._checks.append(check)
            if self._thread is None:
                import threading  # steps with small inputs, which are most, do without

                self._hurry = threading.Event()
                thread = threading.Thread(target=self._later, name="kalelite-verify", daemon=True)
                with contextlib.suppress(RuntimeError):  # none is to be had: `settle` does it
                    thread.start()
                    self._thread = thread

    def settle(self) -> None:
        """Wait for every check that was added; raise the first failure."""
        while (thread := self._thread) is not None:
            self._hurry.set()
            thread.join()
        self._work()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _later(self) -> None:
        self._hurry.wait(GRACE)
        self._work()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._checks:
                    self._thread = None
                    return
                check = self._checks.popleft()
            try:
                check()
            except Exception as error:  # it is raised again by `settle`
                self._error = self._error or error
