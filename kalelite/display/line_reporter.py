"""A run as lines of text: one line for each change of state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kalelite.authoring.events import (
    Event,
    LoopStarted,
    Note,
    RunFinished,
    RunResumed,
    RunStarted,
)
from kalelite.display.run_progress import RunProgress, Status, TaskProgress
from kalelite.display.screen import Line, Screen
from kalelite.humanize import clean, clock, count, duration, one_line, size

_SHOWN = 4
"""Steps that are named where many have something in common."""
_MOST_REASONS = 8
_BIG = 200_000_000
"""Bytes of memory from which on a step's peak is worth reporting."""


class LineReporter:
    """Prints a line whenever the state of the run or of a task changes."""

    def __init__(self, out: Screen) -> None:
        self._out = out
        self._run: RunProgress | None = None
        self._taking = False

    def emit(self, event: Event) -> None:
        """Take in an event and print what it changed."""
        if isinstance(event, RunStarted):
            self._run = RunProgress(event)
            steps = count(len(event.plan.tasks), "step")
            at_once = f", {event.jobs} at once" if event.jobs else ""
            more = f", goes on with run {event.resumes}" if event.resumes else ""
            self._print(event.at, f"{event.plan.name}: {steps}{at_once}, run {event.run}{more}")
            self._taking = bool(event.resumes)
            return
        if isinstance(event, RunResumed):
            self._taking = False
            for line in resumed_lines(event):
                self._print(event.at, *line)
        if isinstance(event, Note):
            self._print(event.at, clean(event.text))
        if self._run is None:
            return
        row = self._run.apply(event)
        if row is not None:
            if self._taking and row.status is Status.CACHED:
                return  # all of them are listed at once
            self._print(event.at, *_task_line(row, event.at))
        elif isinstance(event, LoopStarted):
            self._print(event.at, f"{event.loop}: {count(event.count, 'item')}")
        elif isinstance(event, RunFinished):
            self._print(event.at, f"{self._run.plan.name}: {event.state}")

    def show(self, task: str, line: str) -> None:
        """Print a line that a step has printed."""
        self._out.line((f"{task} │ ", "dim"), clean(line), fit="keep")

    def _print(self, at: float, *pieces: str | tuple[str, str]) -> None:
        self._out.line((clock(at), "dim"), "  ", *pieces, fit="keep")


def resumed_lines(event: RunResumed) -> Iterator[Line]:
    """What a run that goes on keeps, and what it runs and why."""
    kept = Status.CACHED
    steps = f"  ({count(len(event.kept), 'step')})" if event.kept else ""
    yield (f"{'kept':<8}", kept.color), (named(event.kept) or "nothing") + steps
    reasons: dict[str, list[str]] = {}
    for name, reason in event.again:
        reasons.setdefault(reason, []).append(name)
    for reason, found in list(reasons.items())[:_MOST_REASONS]:
        yield (f"{'runs':<8}", Status.RUNNING.color), f"{named(found)}: {one_line(reason, 200)}"
    if len(reasons) > _MOST_REASONS:
        left = sum(len(found) for found in list(reasons.values())[_MOST_REASONS:])
        yield (f"{'runs':<8}", Status.RUNNING.color), f"{count(left, 'more step')}"
    if event.after:
        yield (f"{'then':<8}", Status.WAITING.color), f"{named(event.after)}, unless unchanged"


def named(instances: Sequence[str]) -> str:
    """Instances of steps, the first few by name."""
    shown = ", ".join(instances[:_SHOWN])
    more = len(instances) - _SHOWN
    return shown if more <= 0 else f"{shown} and {count(more, 'more step')}"


def _task_line(row: TaskProgress, now: float) -> Line:
    """The state of a task in one line."""
    status = row.status
    more = ""
    seconds = row.seconds(now)
    if seconds is not None and status is not Status.RUNNING and status is not Status.RETRYING:
        more += f" {'after' if status is Status.FAILED else 'in'} {duration(seconds)}"
    if row.attempt > 1 and status in {Status.RUNNING, Status.RETRYING, Status.FAILED}:
        more += f" (attempt {row.attempt})"
    if status is Status.SUCCEEDED and row.peak >= _BIG:
        more += f", {size(row.peak)}"
    if row.note:
        more += f": {one_line(row.note, 200)}"
    return f"{row.task:<20} ", (f"{status.symbol} {status.label}", status.color), more
