"""The live table: what runs, how long it has been running, what is left.

The table is drawn again when an event arrives, at most twenty times a second, and four times a
second for the running clocks. On a pipe nothing is ever redrawn: see `kalelite.cli.plain`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kalelite.cli.board import Board, Row, State, Window
from kalelite.cli.terminal import Terminal, ascii_symbols, clean, clip
from kalelite.cli.words import count, duration
from kalelite.engine.events import Event, Note, RunFinished, RunStarted

__all__ = ["TableReporter", "picture"]

_SHORTEST = 0.05
_TICK = 0.25
_GAP = 2
_NARROW = 44
_FEWEST_WORDS = 10
"""Columns that a terminal must have, and the words about a step, for those to be shown."""
_LONGEST_FINAL = 60
"""Rows of the table that stays on the screen; a longer one is summed up."""


class TableReporter:
    """Keeps a table of the run on the terminal, and leaves the final one there.

    Parameters
    ----------
    terminal
        Must be able to redraw.
    now
        The clock, for tests.
    """

    def __init__(self, terminal: Terminal, now: Callable[[], float] = time.time) -> None:
        self.terminal = terminal
        self.board: Board | None = None
        self._now = now
        self._console = Console(
            file=cast("IO[str]", _Lenient(terminal)),
            force_terminal=True,
            no_color=not terminal.color,
            highlight=False,
            emoji=False,
            soft_wrap=False,
        )
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._drawn = 0.0

    def emit(self, event: Event) -> None:
        """Take in an event and draw what it changed."""
        with self._lock:
            if isinstance(event, RunStarted):
                self._start(event)
                return
            if isinstance(event, Note):
                self._console.print(Text(clean(event.text), style="yellow"))
            if self.board is not None:
                self.board.apply(event)
                if isinstance(event, RunFinished):
                    self._stop()
                elif time.monotonic() - self._drawn >= _SHORTEST:
                    self._draw()  # else the clock does, soon

    def close(self) -> None:
        """Stop drawing, also when the run never came to its end."""
        with self._lock:
            if self._live is not None:
                self._stop()

    def _start(self, event: RunStarted) -> None:
        self.close()
        self.board = Board(event)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._over.clear()
        # Events alone would let the clocks stand still while a long step runs.
        threading.Thread(target=self._tick, daemon=True, name="kalelite-clock").start()
        self._draw()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            with self._lock:
                if self._live is not None:
                    self._draw()

    def _draw(self) -> None:
        assert self.board is not None
        self._drawn = time.monotonic()
        width, height = self._console.size
        window = self.board.window(max(height - 4, 1))
        self._show(lambda live: live.update(self._picture(window, width), refresh=True))

    def _picture(self, window: Window, width: int) -> RenderableType:
        assert self.board is not None
        return picture(self.board, window, self._now(), width, unicode=self.terminal.unicode)

    def _stop(self) -> None:
        live, self._live = self._live, None
        self._over.set()
        if live is None or self.board is None:
            return
        final = self._picture(self.board.window(_LONGEST_FINAL), self._console.size.width)
        self._live = live
        self._show(lambda live: live.stop())
        self._show(lambda live: live.console.print(final))
        self._live = None

    def _show(self, act: Callable[[Live], object]) -> None:
        """Draw, unless the terminal is gone: then the run goes on unseen."""
        try:
            if self._live is not None:
                act(self._live)
        except (OSError, ValueError):
            self._live = None
            self.terminal.gone = True


class _Lenient:
    """The stream of a terminal; a character that it lacks becomes a question mark."""

    def __init__(self, terminal: Terminal) -> None:
        self._stream = terminal.stream
        self.encoding = terminal.encoding

    def write(self, text: str) -> int:
        return self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def picture(
    board: Board, window: Window, now: float, width: int, *, unicode: bool = True
) -> RenderableType:
    """The table of a board as it stands at the time `now`."""
    plain = str if unicode else ascii_symbols
    times = [_time(row, now) for row in window.rows]
    longest = max((cell_len(row.task) for row in window.rows), default=0)
    name = min(longest, max(width // 2, 12))
    clock = max(map(len, times), default=0)
    # Given widths: left to itself, a long text in one column takes the others' room.
    words = width - name - clock - len("S") - 3 * _GAP
    rows = Table.grid(padding=(0, _GAP, 0, 0))
    rows.add_column(width=1)
    rows.add_column(no_wrap=True, overflow="ellipsis", width=name)
    rows.add_column(no_wrap=True, justify="right", width=clock)
    for row, seconds in zip(window.rows, times, strict=True):
        cells = [
            Text(plain(row.state.symbol), style=row.state.color),
            Text(row.task, style="bold" if row.state is State.RUNNING else ""),
            Text(seconds, style="dim"),
        ]
        if width >= _NARROW and words >= _FEWEST_WORDS:
            cells.append(Text(clip(_words(row), words), style=row.state.color, no_wrap=True))
        rows.add_row(*cells)
    parts: list[RenderableType] = [_title(board, now), rows]
    if window.hidden:
        rest = ", ".join(f"{number} {state.word}" for state, number in window.hidden.items())
        parts.append(Text(plain(f"… and {rest}"), style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _title(board: Board, now: float) -> Text:
    counts = board.counts()
    done = counts.get(State.SUCCEEDED, 0) + counts.get(State.CACHED, 0)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(board.plan.name, style="bold")
    text.append(f"  {done} of {count(len(board.rows), 'step')} done")
    for state in (State.FAILED, State.RUNNING, State.RETRYING):
        if counts.get(state):
            text.append(f", {counts[state]} {state.word}", style=state.color)
    seconds = board.seconds if board.state != "running" else now - board.started
    text.append(f"  {_short(seconds)}", style="dim")
    return text


def _time(row: Row, now: float) -> str:
    seconds = row.seconds(now)
    if seconds is None:
        return ""
    return duration(seconds) if row.finished else _short(seconds)


def _short(seconds: float) -> str:
    """A running clock: tenths are enough, hundredths would flicker."""
    return f"{max(seconds, 0.0):.1f} s" if seconds < 59.95 else duration(seconds)


def _words(row: Row) -> str:
    words = "" if row.state is State.SUCCEEDED else row.state.word
    if row.attempt > 1:
        words += f" (attempt {row.attempt})"
    if row.note:
        words += f": {row.note}" if words else row.note
    return words.strip()
