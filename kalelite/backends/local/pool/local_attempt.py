"""One attempt at a task: its process, its limits, and what has become of it."""

from __future__ import annotations

import time
from dataclasses import field
from pathlib import Path

from kalelite.attempts.exit_causes import Ending
from kalelite.attempts.settlement import settle
from kalelite.attempts.step_log import Log
from kalelite.backends.local.pool.messages import Ended
from kalelite.backends.local.pool.slots import Grant
from kalelite.engine.transitions import Ready
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
        """The record of this attempt; ``ended`` is None while the process still lives."""
        process = ended or Ended(self.number)
        ending = Ending(*process[1:], self.stopped, self.forced, self.timeout, self.memory)
        return settle(self.folder, self.ready.instance.name, self.count, self.begun, ending)
