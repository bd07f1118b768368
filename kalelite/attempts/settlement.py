"""What has become of an attempt at a task, once its process has ended."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

from kalelite.attempts import fault_handler
from kalelite.attempts.exit_causes import Ending, explain, refine
from kalelite.executor.failure import report as failure_report
from kalelite.executor.record_file import commit, read_attempt
from kalelite.executor.spec import Record


def settle(folder: Path, task: str, attempt: int, begun: float, ending: Ending) -> Record:
    """The record of an attempt, written here if its process left none.

    What counts is the record that the attempt has committed in the folder of its instance, never
    the exit code. ``begun`` is a POSIX time in seconds.
    """
    path = folder / "record.json"
    record = read_attempt(path, attempt)
    if record is not None and record.failure is None:
        return record
    if record is None:
        failure = explain(ending, fault_handler.take(folder / "log.txt"))
        record = Record(task, "failed", attempt, started=begun, finished=time.time())
    else:
        assert record.failure is not None
        failure = refine(record.failure, ending)
        if failure == record.failure:
            return record
    record = replace(record, status="failed", failure=failure, outputs={})
    with contextlib.suppress(OSError):
        commit(record, path)
    return record


def refuse(folder: Path, task: str, attempt: int, begun: float, error: Exception) -> None:
    """Commit the record of an attempt that could not begin, or whose values cannot be handed on."""
    report = failure_report(error, step=task)
    record = Record(task, "failed", attempt, failure=report, started=begun, finished=time.time())
    commit(record, folder / "record.json")
