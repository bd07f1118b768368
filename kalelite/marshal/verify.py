"""Digests of mapped payloads are checked in a thread while the step computes."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Verifier"]


class Verifier:
    """Runs checks one after the other beside the step; `settle` waits and raises."""

    def __init__(self) -> None:
        self._checks: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def add(self, check: Callable[[], None]) -> None:
        """Run `check` soon; what it raises is raised by `settle`."""
        with self._lock:
            self._checks.append(check)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="kalelite-verify", daemon=True)
                with contextlib.suppress(RuntimeError):  # none is to be had: `settle` does it
                    thread.start()
                    self._thread = thread

    def settle(self) -> None:
        """Wait for every check that was added; raise the first failure."""
        while (thread := self._thread) is not None:
            thread.join()
        self._work()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._checks:
                    self._thread = None
                    return
                check = self._checks.popleft()
            try:
                check()
            except Exception as error:  # noqa: BLE001 - it is raised again by `settle`
                self._error = self._error or error
