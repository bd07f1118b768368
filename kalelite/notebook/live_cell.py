"""A run in a notebook's cell: a table that changes in place, and at the end all that the run gave.

It is one display that is updated, in plain HTML: no widgets and no scripts, so that it stays in the
notebook as it was last seen.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from kalelite.authoring.events import (
    Event,
    LoopStarted,
    Note,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
)
from kalelite.display.run_progress import RunProgress
from kalelite.notebook.live_picture import Bundle, progress_bundle, report_bundle
from kalelite.plan.graph import Loop
from kalelite.runs.steps_html import last_line

PERIOD = 0.5
"""Seconds between two pictures."""
_SHARE = 0.015
"""The part of a processor that drawing may take."""
_NOTES = 5


class Handle(Protocol):
    """A display that can be updated, as `IPython.display.display` gives it."""

    def update(self, data: Any, *, raw: bool) -> None:
        """Show something else in its place."""


def new_display(bundle: Bundle) -> Handle:
    """Show a bundle below the cell that runs."""
    from IPython.display import display

    handle: Handle = display(dict(bundle), raw=True, display_id=True)  # type: ignore[no-untyped-call]
    return handle


class LiveCell:
    """Listens to a run, and shows it.

    Parameters
    ----------
    show
        Makes the display.
    now
        The clock, in POSIX seconds.
    """

    def __init__(
        self,
        show: Callable[[Bundle], Handle] = new_display,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._show = show
        self._now = now
        self._run: RunProgress | None = None
        self._handle: Handle | None = None
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._notes: list[str] = []
        self._items: Counter[str] = Counter()
        self._loops: dict[str, list[str]] = {}

    def begin(self, text: str) -> None:
        """Take the place for what is to come, in the cell that runs now."""
        self._handle = self._show({"text/plain": text})

    def emit(self, event: Event) -> None:
        """Take in an event. What it changed is drawn at the next turn of the clock."""
        with self._lock:
            if isinstance(event, Note):
                self._notes = [*self._notes, event.text][-_NOTES:]
            elif isinstance(event, RunStarted):
                self._start(event)
            elif isinstance(event, LoopStarted):
                for task in self._loops.get(event.loop.partition("[")[0], ()):
                    self._items[task] += event.count
            if self._run is not None:
                row = self._run.apply(event)
                if row is not None and isinstance(event, TaskStarted):
                    row.log = self._run.folder / "tasks" / row.task / "log.txt"
                elif row is not None and isinstance(event, TaskFinished) and "[" not in row.task:
                    row.note = row.note or last_line(row.log)
                if isinstance(event, RunFinished):
                    self._over.set()
                    self._update(report_bundle(self._run))

    def draw(self) -> None:
        """Show how the run stands."""
        with self._lock:
            if self._run is not None and self._run.state == "running":
                self._update(self._picture(self._run))

    def _start(self, event: RunStarted) -> None:
        self._over.set()
        self._over = threading.Event()
        self._run = RunProgress(event)
        self._items.clear()
        loops = {block.id for block in event.plan.blocks if isinstance(block, Loop)}
        parents = {block.id: block.parent for block in event.plan.blocks}
        self._loops = {}
        for task in event.plan.tasks:
            parent = task.parent
            while parent and parent not in loops:
                parent = parents[parent]
            self._loops.setdefault(parent, []).append(task.id)
        if self._handle is None:
            self._handle = self._show(self._picture(self._run))
        else:
            self._update(self._picture(self._run))
        threading.Thread(
            target=self._tick, args=(self._over,), daemon=True, name="kalelite-cell"
        ).start()

    def _tick(self, over: threading.Event) -> None:
        wait = PERIOD
        while not over.wait(wait):
            begun = time.thread_time()
            self.draw()
            wait = max(PERIOD, (time.thread_time() - begun) / _SHARE)

    def _update(self, bundle: Bundle) -> None:
        if self._handle is not None:
            self._handle.update(dict(bundle), raw=True)

    def _picture(self, run: RunProgress) -> Bundle:
        return progress_bundle(run, self._items, self._notes, self._now())
