"""A run as it goes on: what the schedule decides becomes events, and a queue of what may start.

Whoever runs a plan, in processes or right here, takes instances from the queue and says how they
ended; the rest is the same for all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from pathlib import Path

from kalelite.authoring.events import (
    Event,
    Note,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.engine.schedule import Schedule
from kalelite.engine.transitions import Outcome, Ready, Transition
from kalelite.executor.spec import FailureReport, Record
from kalelite.plan.graph import Plan
from kalelite.plan.options import StepOptions


class Progress:
    """The interpreter of a schedule's transitions.

    ``schedule`` says whether it is done. ``records`` has the last record of each instance that has
    ended, by its name; ``skipped`` the names of those that have no part in the run.
    """

    def __init__(self, plan: Plan, schedule: Schedule, emit: Callable[[Event], None]) -> None:
        self.schedule = schedule
        self._emit = emit
        self._options = {task.id: task.options for task in plan.tasks}
        self._positions = {task.id: position for position, task in enumerate(plan.tasks)}
        self._queue: list[tuple[int, tuple[int, ...], Ready, int]] = []
        self.records: dict[str, Record] = {}
        self.skipped: set[str] = set()

    def options(self, ready: Ready) -> StepOptions:
        """The options of the task that an instance is of."""
        return self._options[ready.instance.task]

    def start(self) -> None:
        """Begin."""
        self._apply(self.schedule.start())

    def take(self) -> tuple[Ready, int] | None:
        """The instance to start next, in the order of the calls, and which attempt it is."""
        return heapq.heappop(self._queue)[2:] if self._queue else None

    def enqueue(self, ready: Ready, attempt: int) -> None:
        """Let an attempt start once there is room for it."""
        instance = ready.instance
        entry = (self._positions[instance.task], instance.index, ready, attempt)
        heapq.heappush(self._queue, entry)

    def started(self, ready: Ready, attempt: int) -> None:
        """An attempt is about to begin."""
        self._emit(TaskStarted(ready.instance.name, attempt))

    def retry(self, ready: Ready, record: Record, log: Path) -> float | None:
        """Seconds until a failed attempt is repeated; None if it has succeeded, or is the last."""
        failure = record.failure
        if failure is None:
            return None
        delay = retry_delay(self.options(ready), record.attempt, failure)
        if delay is not None:
            event = TaskRetried(record.task, record.attempt, failure, delay, log)
            self._emit(event)
        return delay

    def finish(
        self, ready: Ready, record: Record, log: Path, peak: int = 0, *, cancelled: bool = False
    ) -> None:
        """An instance has ended for good; ``cancelled`` if that was because the run was stopped."""
        self.records[record.task] = record
        self._emit(TaskFinished(record, log, peak))
        state, message = "succeeded", ""
        if record.failure is not None:
            state = "cancelled" if cancelled else "failed"
            message = record.failure.message
        outcome = Outcome(state, record.outputs, message)
        self._apply(self.schedule.finish(ready.instance, outcome))

    def take_known(
        self, find: Callable[[Ready], Record | None], log: Callable[[Ready], Path]
    ) -> list[Ready]:
        """Finish all that is known already, and all that this makes ready; what has to run is left.

        ``find`` gives the record of an instance, or None.
        """
        left = []
        while (entry := self.take()) is not None:
            ready, _ = entry
            record = find(ready)
            if record is None:
                left.append(ready)
            else:
                self.finish(ready, record, log(ready))
        for ready in left:
            self.enqueue(ready, 1)
        return left

    def tell(self, event: Event) -> None:
        """Report something that is no change of a task."""
        self._emit(event)

    def interrupt(self, reason: str, others: Iterable[Ready] = ()) -> None:
        """Start nothing more but the handlers of exit scopes that have begun.

        What is in the queue now ends as well, and those others that wait elsewhere.
        """
        self._apply(self.schedule.interrupt(reason))
        queue, self._queue = self._queue, []
        for entry in queue:
            if self.schedule.is_handler(entry[2].instance):
                heapq.heappush(self._queue, entry)
            else:
                others = [*others, entry[2]]
        for ready in others:
            self._emit(TaskSkipped(ready.instance.name, "not run", reason))
            self._apply(self.schedule.finish(ready.instance, Outcome("cancelled")))

    def note(self, text: str) -> None:
        """Report something that the user should know."""
        self._emit(Note(text))

    def _apply(self, transitions: Iterable[Transition]) -> None:
        for transition in transitions:
            if isinstance(transition, Ready):
                self.enqueue(transition, 1)
            else:
                if isinstance(transition, TaskSkipped):
                    self.skipped.add(transition.task)
                self._emit(transition)


def retry_delay(options: StepOptions, attempt: int, failure: FailureReport) -> float | None:
    """Seconds until the next attempt, None if there is to be none."""
    retries = options.retries
    return retries.after(attempt, failure.type, failure.bases) if retries else None
