"""What is known of a run while it goes on: one row for each task, kept up to date by events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from kalelite.authoring.events import (
    Event,
    LoopStarted,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
    TaskWaits,
)
from kalelite.errors import Where
from kalelite.executor.spec import FailureReport, Record
from kalelite.frozen import frozen, mutable
from kalelite.humanize import error_line
from kalelite.plan.graph import Loop
from kalelite.runs.kept_results import cached_reason


def headline(failure: FailureReport) -> str:
    """A failure in one line."""
    return error_line(failure.type, failure.message)


class Status(Enum):
    """The state of a task: symbol, colour, name, and how early it is shown where room is short."""

    RUNNING = ("▸", "cyan", "running", 0)
    RETRYING = ("↻", "yellow", "waiting to try again", 0)
    FAILED = ("✗", "red", "failed", 1)
    SUCCEEDED = ("✓", "green", "succeeded", 2)
    CACHED = ("=", "green", "cached", 2)
    WAITING = ("·", "dim", "waiting", 3)
    SKIPPED = ("⊘", "dim", "skipped", 4)
    NOT_RUN = ("⊘", "yellow", "not run", 4)

    def __init__(self, symbol: str, color: str, label: str, urgency: int) -> None:
        self.symbol = symbol
        self.color = color
        self.label = label
        self.urgency = urgency


_BY_NAME = {status.label: status for status in Status} | {
    "retrying": Status.RETRYING,
    "interrupted": Status.NOT_RUN,
    "cancelled": Status.NOT_RUN,
    "crashed": Status.FAILED,
}


def status_of(name: str) -> Status:
    """The status for a state in a run's record."""
    return _BY_NAME.get(name, Status.WAITING)


@mutable
class TaskProgress:
    """One task. ``order`` is its place in the plan and, inside loops, the item's number."""

    task: str
    order: tuple[int, ...] = ()
    status: Status = Status.WAITING
    started: float = 0.0
    finished: float = 0.0
    attempt: int = 1
    note: str = ""
    record: Record | None = None
    failure: FailureReport | None = None
    log: Path | None = None
    peak: int = 0

    def seconds(self, now: float) -> float | None:
        """How long it ran, or has been running; None if it never started."""
        if not self.started:
            return None
        return max((self.finished or now) - self.started, 0.0)


@frozen
class Window:
    """The rows that fit, in the plan's order, and how many of each state do not."""

    rows: tuple[TaskProgress, ...]
    hidden: dict[Status, int]


class RunProgress:
    """All rows of one run, and the run itself."""

    def __init__(self, event: RunStarted) -> None:
        self.plan = event.plan
        self.run = event.run
        self.folder = event.folder
        self.jobs = event.jobs
        self.started = event.at
        self.state = "running"
        self.seconds = 0.0
        self.rows: dict[str, TaskProgress] = {}
        self._order = {task.id: position for position, task in enumerate(event.plan.tasks)}
        loops = {block.id for block in event.plan.blocks if isinstance(block, Loop)}
        parents = {block.id: block.parent for block in event.plan.blocks}
        self._inside: Counter[str] = Counter()
        self._items = 0
        for task in event.plan.tasks:
            parent = task.parent
            while parent and parent not in loops:
                parent = parents[parent]
            # How many instances a task inside a loop has is known when its items are.
            if parent:
                self._inside[parent] += 1
            else:
                self._row(task.id)
        self._outside = len(self.rows)

    @property
    def total(self) -> int:
        """All steps that are known of: those of loops that have begun count with all their items."""
        return max(self._outside + self._items, len(self.rows))

    def apply(self, event: Event) -> TaskProgress | None:
        """Take in an event; the row that it changed, if it is about one."""
        match event:
            case LoopStarted():
                self._items += event.count * self._inside[event.loop.partition("[")[0]]
            case RunFinished():
                self.state, self.seconds = event.state, event.seconds
            case TaskStarted():
                row = self._row(event.task)
                row.status, row.attempt = Status.RUNNING, event.attempt
                row.started, row.finished, row.note = event.at, 0.0, ""
                return row
            case TaskRetried():
                row = self._row(event.task)
                row.status, row.attempt, row.log = Status.RETRYING, event.attempt, event.log
                row.failure = event.failure
                row.note = headline(event.failure)
                return row
            case TaskWaits():
                row = self._row(event.task)
                row.note = event.reason
                return row
            case TaskFinished():
                return self._finish(event)
            case TaskSkipped():
                row = self._row(event.task)
                row.status = Status.SKIPPED if event.status == "skipped" else Status.NOT_RUN
                row.finished, row.note = event.at, event.reason
                return row
        return None

    def called_at(self, task: str) -> Where | None:
        """Where the pipeline's body calls the step of a task."""
        place = self._order.get(task.partition("[")[0])
        return self.plan.tasks[place].where if place is not None else None

    def _row(self, task: str) -> TaskProgress:
        row = self.rows.get(task)
        if row is None:
            base = task.partition("[")[0]
            items = (int(number) for number in re.findall(r"\[(\d+)\]", task))
            place = self._order.get(base, len(self._order))
            row = self.rows[task] = TaskProgress(task, (place, *items))
        return row

    def _finish(self, event: TaskFinished) -> TaskProgress:
        record = event.record
        row = self._row(record.task)
        failed = record.status == "failed"
        row.status = Status.FAILED if failed else Status.SUCCEEDED
        row.finished, row.record, row.log, row.peak = event.at, record, event.log, event.peak
        row.attempt, row.failure, row.note = record.attempt, record.failure, ""
        if record.cached:
            row.status, row.note = Status.CACHED, cached_reason(record)
        if record.failure is not None:
            row.note = headline(record.failure)
        return row

    def counts(self) -> dict[Status, int]:
        """How many tasks are in each state, states without any left out."""
        return _count(self.rows.values())

    def in_order(self) -> list[TaskProgress]:
        """All rows, in the plan's order."""
        return sorted(self.rows.values(), key=lambda row: row.order)

    def window(self, height: int) -> Window:
        """At most `height` rows: what runs, what failed, what ended last, what comes next."""
        rows = self.in_order()
        unseen = self.total - len(rows)
        if len(rows) <= height:
            return Window(tuple(rows), {Status.WAITING: unseen} if unseen else {})

        def urgency(row: TaskProgress) -> tuple[float, ...]:
            latest = -row.finished if row.status is not Status.WAITING else 0.0
            return (row.status.urgency, latest, *row.order)

        ranked = sorted(rows, key=urgency)
        must = [row for row in ranked if row.status.urgency < 2][:height]
        room = height - len(must)
        done = [row for row in ranked if row.status.urgency == 2]
        coming = [row for row in ranked if row.status is Status.WAITING]
        rest = [row for row in ranked if row.status.urgency == 4]
        # Half of the room shows what ended last, the rest what comes next.
        most_done = max(room - len(coming) - len(rest), (room + 1) // 2)
        chosen = [*must, *done[:most_done]]
        chosen += [*coming, *rest][: height - len(chosen)]
        kept = {id(row) for row in chosen}
        hidden = _count(row for row in rows if id(row) not in kept)
        if unseen:
            hidden[Status.WAITING] = hidden.get(Status.WAITING, 0) + unseen
        return Window(tuple(sorted(chosen, key=lambda row: row.order)), hidden)


def _count(rows: Iterable[TaskProgress]) -> dict[Status, int]:
    """How many rows are in each state, in the order of the states."""
    numbers = Counter(row.status for row in rows)
    return {status: numbers[status] for status in Status if numbers[status]}
