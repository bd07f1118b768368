"""One attempt at a task: its process, its limits, and what has become of it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from kalelite.backends.local.pool import fault_handler as crash
from kalelite.backends.local.pool.client import Ended
from kalelite.backends.local.pool.exit_causes import Ending, explain, refine
from kalelite.backends.local.pool.slots import Grant
from kalelite.backends.local.pool.step_log import Log
from kalelite.engine.transitions import Ready
from kalelite.errors import CorruptObjectError
from kalelite.executor.record_file import commit, read
from kalelite.executor.spec import FailureReport, Record
from kalelite.plan.options import StepOptions
from kalelite.plan.options.quantity import size_of

__all__ = ["Attempt", "memory_limit", "retry_delay"]


@dataclass(slots=True)
class Attempt:
    """An attempt that has a process, or had one.

    ``stopped`` tells why the run ended the process ("timeout", "interrupt"), ``forced`` that this
    took SIGKILL. ``settled`` is set once its outcome is known; the process may still be ending.
    """

    number: int
    ready: Ready
    count: int
    options: StepOptions
    grant: Grant
    log: Log
    record: Path
    begun: float
    stopped: str = ""
    forced: bool = False
    settled: bool = False

    @property
    def name(self) -> str:
        return self.ready.instance.name

    def outcome(self, ended: Ended | None, *, oom: bool) -> Record:
        """The record of this attempt, written here if its process left none.

        What counts is the committed record of this attempt, never the exit code. ``ended`` is
        None while the process still lives; ``oom`` says that the kernel has killed processes for
        want of memory meanwhile.
        """
        record = self._committed()
        ending = self._ending(ended, oom=oom)
        if record is not None and record.failure is None:
            return record
        if record is None:
            failure = explain(ending, crash.take(self.log.path))
            record = Record(
                self.name, "failed", self.count, started=self.begun, finished=time.time()
            )
        else:
            assert record.failure is not None
            failure = refine(record.failure, ending)
            if failure == record.failure:
                return record
        record = _failed(record, failure)
        with contextlib.suppress(OSError):
            commit(record, self.record)
        return record

    def _committed(self) -> Record | None:
        try:
            record = read(self.record)
        except (CorruptObjectError, OSError):
            return None
        return record if record is not None and record.attempt == self.count else None

    def _ending(self, ended: Ended | None, *, oom: bool) -> Ending:
        ended = ended or Ended(self.number)
        return Ending(
            status=ended.status,
            peak=ended.peak,
            error=ended.error,
            stopped=self.stopped,
            forced=self.forced,
            timeout=self.options.timeout,
            limit=memory_limit(self.options),
            oom=oom,
        )


def memory_limit(options: StepOptions) -> int:
    """The bytes that a step may have; 0 for no limit. A limit goes before a request."""
    wanted = options.memory_limit or options.memory
    return size_of(wanted) if wanted else 0


def retry_delay(options: StepOptions, attempt: int, failure: FailureReport) -> float | None:
    """Seconds until the next attempt, None if there is to be none."""
    retries = options.retries
    if retries is None or attempt > retries.count:
        return None
    if not retries.covers(failure.type, failure.bases):
        return None
    return retries.delay(attempt)


def _failed(record: Record, failure: FailureReport) -> Record:
    return Record(
        task=record.task,
        status="failed",
        attempt=record.attempt,
        failure=failure,
        metrics=record.metrics,
        artifacts=record.artifacts,
        started=record.started,
        finished=record.finished,
        versions=record.versions,
    )
