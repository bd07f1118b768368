"""What steps print while a run goes on, line by line with the step's name before it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from kalelite.authoring.backends import Listener
from kalelite.authoring.events import (
    Event,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetried,
    TaskStarted,
)
from kalelite.frozen import mutable

_TICK = 0.2
"""Seconds between two looks at the logs."""


@mutable
class _Log:
    """A log that is written: how much of it was read, and whether its step ran alone so far."""

    path: Path
    read: int
    alone: bool
    rest: bytes = b""


def with_printed_lines(reporter: Listener, *, follow: bool = False) -> Listener:
    """The reporter, which shows what steps print as well, if it can print a line in between."""
    show = getattr(reporter, "show", None)
    return reporter if show is None else PrintedLines(reporter, show, follow=follow)


class PrintedLines:
    """Passes events to a reporter, and shows it what steps print.

    That is what a step prints that runs alone; with ``follow`` what all of them print. All else is
    in their logs only.
    """

    def __init__(
        self, reporter: Listener, show: Callable[[str, str], None], *, follow: bool
    ) -> None:
        self._reporter = reporter
        self._show = show
        self._follow = follow
        self._folder = Path()
        self._running: dict[str, _Log] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()

    def emit(self, event: Event) -> None:
        """Take in an event; what a step has printed is shown before its end is."""
        with self._lock:
            match event:
                case RunStarted():
                    self._begin(event)
                case TaskStarted():
                    self._start(event.task)
                case TaskFinished(record=record):
                    self._end(record.task)
                case TaskRetried(task=task):
                    self._end(task)
                case RunFinished():
                    self._over.set()
            self._reporter.emit(event)

    def close(self) -> None:
        """Give the terminal back."""
        self._over.set()
        close = getattr(self._reporter, "close", None)
        if close is not None:
            close()

    def _begin(self, event: RunStarted) -> None:
        self._over.set()
        self._folder, self._running, self._over = event.folder, {}, threading.Event()
        threading.Thread(
            target=self._look, args=(self._over,), daemon=True, name="kalelite-output"
        ).start()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(_TICK):
            with self._lock:
                for name in self._running:
                    self._read(name)

    def _start(self, name: str) -> None:
        path = self._folder / "tasks" / name / "log.txt"
        try:
            begin = path.stat().st_size  # of earlier attempts
        except OSError:
            begin = 0
        self._running[name] = _Log(path, begin, alone=True)
        if len(self._running) > 1:
            for log in self._running.values():
                log.alone = False

    def _end(self, name: str) -> None:
        if name in self._running:
            self._read(name, last=True)
            del self._running[name]

    def _read(self, name: str, *, last: bool = False) -> None:
        log = self._running[name]
        if not (self._follow or log.alone):
            return
        try:
            with log.path.open("rb") as file:
                file.seek(log.read)
                data = file.read()
        except OSError:
            return
        log.read += len(data)
        *lines, log.rest = (log.rest + data).split(b"\n")
        if last and log.rest:
            lines.append(log.rest)
        for line in lines:
            self._show(name, line.decode("utf-8", "replace"))
