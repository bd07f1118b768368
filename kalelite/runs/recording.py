"""The events of a run, written into its record and passed on to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

from kalelite.authoring.backends import Listener
from kalelite.authoring.events import (
    Event,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.runs.writing import RunFolder


def recording(reporter: Listener, folder: RunFolder) -> Callable[[Event], None]:
    """Write events into the run's record, and pass them to a reporter.

    A reporter that fails, because its terminal has gone, gets no more of them.
    """
    listening = [reporter]

    def emit(event: Event) -> None:
        _note(event, folder)
        try:
            for each in listening:
                each.emit(event)
        except Exception:
            listening.clear()

    return emit


def _note(event: Event, folder: RunFolder) -> None:
    match event:
        case TaskStarted(task=task, attempt=attempt):
            folder.event(task, "running", attempt=attempt)
        case TaskRetried(task=task, attempt=attempt, failure=failure, wait=wait):
            folder.event(task, "retrying", attempt=attempt, reason=failure.message, wait=wait)
        case TaskSkipped(task=task, status=status, reason=reason):
            folder.event(task, status, reason=reason)
        case TaskFinished(record=record, peak=peak) if not record.cached:
            # One that was taken from an earlier run is in kept.jsonl.
            folder.event(record.task, record.status, peak=peak)
