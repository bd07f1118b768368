"""An instance of a task, as far as it has come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.executor.spec import Record


@frozen
class TaskState:
    """An instance of a task in a run.

    ``status`` is "waiting", "running", "retrying", "succeeded", "failed", "skipped", "not run" or
    "cached"; ``record`` is there once it has ended.
    """

    name: str
    status: str
    reason: str = ""
    record: Record | None = None
    started: float | None = None
    finished: float | None = None
    folder: Path | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been running."""
        if self.started is None:
            return None
        return (self.finished or time.time()) - self.started

    @property
    def log(self) -> Path | None:
        """What it printed."""
        return self.folder / "log.txt" if self.folder else None
