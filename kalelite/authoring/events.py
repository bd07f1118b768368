"""What happens while a run goes on: plain events, and a listener that prints the few that matter."""

from __future__ import annotations

import sys
import time
from dataclasses import field
from pathlib import Path
from typing import TextIO

from kalelite.executor.spec import FailureReport, Record
from kalelite.frozen import frozen
from kalelite.plan.graph import Plan


@frozen
class Event:
    """Something that happened, at a POSIX time in seconds: now, if it is not given."""

    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class RunStarted(Event):
    """The run has begun; nothing has been started yet.

    ``jobs`` is how many steps may run at once, 0 where nobody knows. ``resumes`` is the run that it
    goes on from, if any.
    """

    run: str
    plan: Plan
    folder: Path
    jobs: int
    resumes: str = ""


@frozen
class RunResumed(Event):
    """What could be taken from an earlier run was taken; the rest begins now.

    ``kept`` are the instances that were taken. ``again`` are those that run now, each with the
    reason why it was not; ``after`` are tasks that wait for them.
    """

    kept: tuple[str, ...]
    again: tuple[tuple[str, str], ...]
    after: tuple[str, ...]


@frozen
class LoopStarted(Event):
    """The items of a loop are known. ``loop`` names the instance, ``count`` how many items."""

    loop: str
    count: int


@frozen
class TaskWaits(Event):
    """A task could start, and something keeps it from that: ``reason`` says what, in words."""

    task: str
    reason: str


@frozen
class TaskStarted(Event):
    """An attempt of a task was given a process. ``task`` names the instance: ``train[3]``."""

    task: str
    attempt: int


@frozen
class TaskFinished(Event):
    """A task has ended for good, well or badly; see ``record.status``.

    ``log`` holds what the step printed. ``peak`` is the largest resident size in bytes, 0 where
    it is not known.
    """

    record: Record
    log: Path
    peak: int = 0


@frozen
class TaskRetried(Event):
    """An attempt failed and another follows after ``wait`` seconds."""

    task: str
    attempt: int
    failure: FailureReport
    wait: float
    log: Path


@frozen
class TaskSkipped(Event):
    """A task will not run. ``status`` is "skipped" (a condition) or "not run" (a failure)."""

    task: str
    status: str
    reason: str


@frozen
class Note(Event):
    """Something that the user should know once."""

    text: str


@frozen
class RunFinished(Event):
    """The run is over. ``state`` is "succeeded", "failed", "interrupted" or "cancelled"."""

    run: str
    state: str
    seconds: float


class BriefReporter:
    """One line for what failed, was skipped or is worth knowing; for runs without a face."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        line = _line(event)
        if line:
            print(line, file=self._stream or sys.stderr, flush=True)


def _line(event: Event) -> str:
    match event:
        case Note(text=text):
            return text
        case TaskRetried(task=task, attempt=attempt, failure=failure, wait=wait):
            return f"{task}: attempt {attempt} failed ({failure.message}); again in {wait:g} s"
        case TaskSkipped(task=task, status=status, reason=reason):
            return f"{task}: {status}: {reason}"
        case TaskWaits(task=task, reason=reason):
            return f"{task} waits: {reason}"
        case TaskFinished(record=record, log=log) if record.failure is not None:
            head = f"{record.task}: failed: {record.failure.type}: {record.failure.message}"
            return "\n".join([head, *_printed(log)])
        case _:
            return ""


def _printed(log: Path) -> list[str]:
    """The last lines that a step printed."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [f"  it printed ({log}):", *(f"  | {line}" for line in lines[-10:])] if lines else []
