"""The log of a step: a plain file that the step's own processes append to.

A file takes what is written at once, so no step ever waits for a reader, and a process that a
step leaves behind holds nobody up. A step that prints without end is kept in bounds by cutting
out the middle: because all writers append, a file may be made shorter under their hands.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Log:
    """Keeps a file of output below about ``limit`` bytes: its start, a note, and its end."""

    def __init__(self, path: Path, limit: int = 16 << 20) -> None:
        self.path = path
        self._limit = limit
        self._head = 0
        self._left_out = 0

    def begin(self, attempt: int) -> None:
        """Make ready for an attempt; the file of the first is made by its own process."""
        if attempt > 1:
            with self.path.open("ab") as file:
                file.write(f"--- attempt {attempt} ---\n".encode())

    def trim(self) -> None:
        """Cut out the middle of a file that has grown too large."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_size > self._limit:
                self._cut()

    def _cut(self) -> None:
        half = self._limit // 2
        fd = os.open(self.path, os.O_RDWR)
        try:
            if not self._head:
                start = os.pread(fd, half, 0)
                self._head = start.rfind(b"\n") + 1 or len(start)
            end = os.fstat(fd).st_size
            tail = os.pread(fd, half // 2, end - half // 2)
            tail = tail[tail.find(b"\n") + 1 :]
            self._left_out += end - self._head - len(tail)
            os.ftruncate(fd, self._head)
            note = f"\n--- about {self._left_out >> 20} MB of output left out ---\n"
            os.pwrite(fd, note.encode() + tail, self._head)
        finally:
            os.close(fd)
