"""One attempt at a task: its process, its limits, and what has become of it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import field, replace
from pathlib import Path

from kalelite.backends.local.pool import fault_handler
from kalelite.backends.local.pool.exit_causes import Ending, explain, refine
from kalelite.backends.local.pool.messages import Ended
from kalelite.backends.local.pool.slots import Grant
from kalelite.backends.local.pool.step_log import Log
from kalelite.engine.transitions import Ready
from kalelite.executor.record_file import commit, read_attempt
from kalelite.executor.spec import Record
from kalelite.frozen import mutable


@mutable
class Attempt:
    """An attempt that has a process, or had one.

    ``timeout`` is in seconds, ``memory`` in bytes, 0 for no limit. ``stopped`` is why the run
    ended the process ("timeout", "interrupt"), ``forced`` that this took SIGKILL. ``settled`` is
    set once its outcome is known; the process may still be ending.
    """

    number: int
    ready: Ready
    count: int
    folder: Path
    grant: Grant
    timeout: float | None
    memory: int
    begun: float = 0.0
    log: Log = field(init=False)
    stopped: str = ""
    forced: bool = False
    settled: bool = False

    @property
    def record(self) -> Path:
        """Where the record is committed."""
        return self.folder / "record.json"

    def begin(self, log_limit: int) -> None:
        """Make its folder ready; ``log_limit`` is in bytes."""
        self.begun = time.time()
        self.log = Log(self.folder / "log.txt", log_limit)
        self.log.begin(self.count)
        if self.count > 1:
            self.record.unlink(missing_ok=True)

    def outcome(self, ended: Ended | None) -> Record:
        """The record of this attempt, written here if its process left none.

        What counts is the committed record of this attempt, never the exit code. ``ended`` is
        None while the process still lives.
        """
        record = read_attempt(self.record, self.count)
        process = ended or Ended(self.number)
        ending = Ending(process, self.stopped, self.forced, self.timeout, self.memory)
        if record is not None and record.failure is None:
            return record
        if record is None:
            failure = explain(ending, fault_handler.take(self.log.path))
            name, now = self.ready.instance.name, time.time()
            record = Record(name, "failed", self.count, started=self.begun, finished=now)
        else:
            assert record.failure is not None
            failure = refine(record.failure, ending)
            if failure == record.failure:
                return record
        record = replace(record, status="failed", failure=failure, outputs={})
        with contextlib.suppress(OSError):
            commit(record, self.record)
        return record
