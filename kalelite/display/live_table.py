"""The live table: what runs, how long it has been running, what is left.

The table is drawn again when an event arrives and for the running clocks, as often as three per cent
of a processor allow, and at most twenty times a second. On a pipe nothing is ever redrawn: see `kalelite.display.line_reporter`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kalelite.authoring.events import Event, Note, RunFinished, RunResumed, RunStarted
from kalelite.display.line_reporter import resumed_lines
from kalelite.display.run_progress import RunProgress, Status, TaskProgress, Window
from kalelite.display.screen import Screen
from kalelite.humanize import clean, count, duration, one_line

_SHORTEST = 0.05
_SHARE = 0.03
"""Seconds between two pictures, and the part of a processor that drawing them may take."""
_TICK = 0.25
_GAP = 2
_NARROW = 44
_SHORTEST_NOTE = 10
"""Columns that a terminal must have, and the note about a step, for notes to be shown."""
_LONGEST_FINAL = 60
"""Rows of the table that stays on the screen; a longer one is summed up."""


class LiveTable:
    """Keeps a table of the run on the terminal, and leaves the final one there.

    Parameters
    ----------
    out
        Must be able to redraw.
    now
        The clock, for tests.
    """

    def __init__(self, out: Screen, now: Callable[[], float] = time.time) -> None:
        self._out = out
        self._run: RunProgress | None = None
        self._now = now
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._next = 0.0

    def emit(self, event: Event) -> None:
        """Take in an event and draw what it changed."""
        with self._lock:
            if isinstance(event, RunStarted):
                self._start(event)
                return
            if isinstance(event, RunResumed):
                for line in resumed_lines(event):
                    self._out.console.print(Text.assemble(*line))
            if isinstance(event, Note):
                self._out.console.print(Text(clean(event.text), style="yellow"))
            if self._run is not None:
                self._run.apply(event)
                if isinstance(event, RunFinished):
                    self.close()
                elif time.monotonic() >= self._next:
                    self._draw()  # else the clock does, soon

    def close(self) -> None:
        """Stop drawing, also when the run never came to its end."""
        with self._lock:
            self._over.set()
            live, self._live = self._live, None
            if live is not None:
                live.stop()
                self._out.console.print(self._picture(_LONGEST_FINAL))

    def _start(self, event: RunStarted) -> None:
        self.close()
        self._run = RunProgress(event)
        self._live = Live(console=self._out.console, auto_refresh=False, transient=True)
        self._live.start()
        self._over.clear()
        # Events alone would let the clocks stand still while a long step runs.
        threading.Thread(target=self._tick, daemon=True, name="kalelite-clock").start()
        self._draw()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            with self._lock:
                if time.monotonic() >= self._next:
                    self._draw()

    def _draw(self) -> None:
        if self._live is not None and not self._out.gone:
            begun = time.thread_time()
            height = self._out.console.height
            self._live.update(self._picture(max(height - 4, 1)), refresh=True)
            cost = time.thread_time() - begun
            self._next = time.monotonic() + max(_SHORTEST, cost / _SHARE)

    def show(self, task: str, line: str) -> None:
        """Print a line that a step has printed, above the table."""
        with self._lock:
            self._out.console.print(Text.assemble((f"{task} │ ", "dim"), clean(line)))

    def _picture(self, height: int) -> RenderableType:
        assert self._run is not None
        width = self._out.console.width
        return picture(self._run, self._run.window(height), self._now(), width)


def picture(run: RunProgress, window: Window, now: float, width: int) -> RenderableType:
    """The table of a run as it stands at the time `now`."""
    times = [_time(row, now) for row in window.rows]
    longest = max((cell_len(row.task) for row in window.rows), default=0)
    name = min(longest, max(width // 2, 12))
    clock = max(map(len, times), default=0)
    # Given widths: left to itself, a long text in one column takes the others' room.
    note = width - name - clock - len("S") - 3 * _GAP
    rows = Table.grid(padding=(0, _GAP, 0, 0))
    rows.add_column(width=1)
    rows.add_column(no_wrap=True, overflow="ellipsis", width=name)
    rows.add_column(no_wrap=True, justify="right", width=clock)
    with_notes = width >= _NARROW and note >= _SHORTEST_NOTE
    if with_notes:
        rows.add_column(no_wrap=True, overflow="ellipsis", max_width=note)
    for row, seconds in zip(window.rows, times, strict=True):
        cells = [
            Text(row.status.symbol, style=row.status.color),
            Text(row.task, style="bold" if row.status is Status.RUNNING else ""),
            Text(seconds, style="dim"),
        ]
        if with_notes:
            cells.append(Text(one_line(_note(row)), style=row.status.color))
        rows.add_row(*cells)
    parts: list[RenderableType] = [_title(run, now), rows]
    if window.hidden:
        rest = ", ".join(f"{number} {state.label}" for state, number in window.hidden.items())
        parts.append(Text(f"… and {rest}", style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _title(run: RunProgress, now: float) -> Text:
    counts = run.counts()
    done = counts.get(Status.SUCCEEDED, 0) + counts.get(Status.CACHED, 0)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(run.plan.name, style="bold")
    text.append(f"  {done} of {count(run.total, 'step')} done")
    for state in (Status.FAILED, Status.RUNNING, Status.RETRYING):
        if counts.get(state):
            text.append(f", {counts[state]} {state.label}", style=state.color)
    seconds = run.seconds if run.state != "running" else now - run.started
    text.append(f"  {_short(seconds)}", style="dim")
    return text


def _time(row: TaskProgress, now: float) -> str:
    seconds = row.seconds(now)
    if seconds is None:
        return ""
    return duration(seconds) if row.finished else _short(seconds)


def _short(seconds: float) -> str:
    """A running clock: tenths are enough, hundredths would flicker."""
    return f"{max(seconds, 0.0):.1f} s" if seconds < 59.95 else duration(seconds)


def _note(row: TaskProgress) -> str:
    note = "" if row.status is Status.SUCCEEDED else row.status.label
    if row.attempt > 1:
        note += f" (attempt {row.attempt})"
    if row.note:
        note += f": {row.note}" if note else row.note
    return note.strip()
