"""A run as lines of text: one line for each change of state."""

from __future__ import annotations

from kalelite.cli.board import Board, Row, State
from kalelite.cli.terminal import Terminal, clean, clip
from kalelite.cli.words import clock, count, duration, size
from kalelite.engine.events import Event, LoopStarted, Note, RunFinished, RunStarted

__all__ = ["PlainReporter", "task_line"]

_BIG = 200_000_000
"""Bytes of memory from which on a step's peak is worth telling."""


class PlainReporter:
    """Prints a line whenever the state of the run or of a task changes."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.board: Board | None = None

    def emit(self, event: Event) -> None:
        """Take in an event and print what it changed."""
        if isinstance(event, RunStarted):
            self.board = Board(event)
            steps = count(len(event.plan.tasks), "step")
            self._say(
                event.at, f"{event.plan.name}: {steps}, {event.jobs} at once, run {event.run}"
            )
            return
        if isinstance(event, Note):
            self._say(event.at, clean(event.text))
        if self.board is None:
            return
        row = self.board.apply(event)
        if row is not None:
            self._say(event.at, task_line(row, event.at, self.terminal))
        elif isinstance(event, LoopStarted):
            self._say(event.at, f"{event.loop}: {count(event.count, 'item')}")
        elif isinstance(event, RunFinished):
            self._say(event.at, f"{self.board.plan.name}: {event.state}")

    def _say(self, at: float, text: str) -> None:
        self.terminal.line(f"{self.terminal.paint(clock(at), 'dim')}  {text}")


def task_line(row: Row, now: float, terminal: Terminal) -> str:
    """The state of a task in one line."""
    state = row.state
    word = terminal.paint(f"{state.symbol} {state.word}", state.color)
    seconds = row.seconds(now)
    if seconds is not None and state is not State.RUNNING and state is not State.RETRYING:
        word += f" {'after' if state is State.FAILED else 'in'} {duration(seconds)}"
    if row.attempt > 1 and state in {State.RUNNING, State.RETRYING, State.FAILED}:
        word += f" (attempt {row.attempt})"
    if state is State.SUCCEEDED and row.peak >= _BIG:
        word += f", {size(row.peak)}"
    note = f": {clip(row.note, 200)}" if row.note else ""
    return f"{row.task:<20} {word}{note}"
