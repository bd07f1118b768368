"""The folder of a run: what was run, with what, and how it ended."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalelite.executor.record import write_atomically
from kalelite.plan.graph import Plan

__all__ = ["RunFolder", "find_home"]


def find_home(given: Path | None = None) -> Path:
    """The folder for runs and values."""
    if given is not None:
        return given.absolute()
    said = os.environ.get("KALELITE_HOME")
    if said:
        return Path(said).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".kalelite").is_dir():
            return folder / ".kalelite"
    return here / ".kalelite"


class RunFolder:
    """A new folder below ``<home>/runs``."""

    def __init__(self, home: Path, plan: Plan, arguments: Mapping[str, Any]) -> None:
        self.started = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.started))
        self.id = f"{stamp}-{secrets.token_hex(2)}"
        self.path = home / "runs" / self.id
        self.tasks = self.path / "tasks"
        self.tasks.mkdir(parents=True)
        self._data = {
            "run": self.id,
            "pipeline": plan.name,
            "parameters": {name: repr(value)[:1000] for name, value in arguments.items()},
            "tasks": [task.id for task in plan.tasks],
            "started": self.started,
        }
        self.write("running")

    def write(self, state: str) -> None:
        """Note the state of the run."""
        finished = time.time() if state != "running" else None
        data = {**self._data, "state": state, "finished": finished}
        write_atomically(self.path / "run.json", json.dumps(data, indent=1).encode())
