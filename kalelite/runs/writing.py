"""The record of a run in the making."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.home_folder import home
from kalelite.plan.graph import Plan, StepDef, Task
from kalelite.runs.run_dirs import born, new_folder
from kalelite.runs.run_files import EventData, EventDetails, RunData, RunDetails, TaskData

_ENCODE = json.JSONEncoder(default=repr).encode


class RunFolder:
    """The record of a run in the making; one process writes it."""

    def __init__(self, folder: Path, data: RunData, clock: Callable[[], float]) -> None:
        self.folder = folder
        self._data = data
        self._clock = clock
        self._events = -1
        self._save()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def tasks(self) -> Path:
        """The folder that holds a folder for each instance."""
        return self.folder / "tasks"

    def _save(self) -> None:
        text = json.dumps(self._data, indent=1, default=repr)
        write_atomically(self.folder / "run.json", text.encode())

    def task(self, instance: str) -> Path:
        """The folder of an instance, made if it is not there."""
        folder = self.tasks / instance
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def event(self, task: str, state: str, **more: Unpack[EventDetails]) -> None:
        """Note that a task's state changed: running, retrying, succeeded, skipped, cached, …"""
        event: EventData = {"at": self._clock(), "task": task, "state": state, **more}
        line = _ENCODE(event)
        if self._events < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._events = os.open(self.folder / "events.jsonl", flags, 0o666)
        # One write of a whole line: a reader, or a crash, sees all of it or a torn last line.
        os.write(self._events, line.encode() + b"\n")

    def update(self, **fields: Unpack[RunDetails]) -> None:
        """Add fields to run.json, such as ``code`` or ``url``."""
        self._data = {**self._data, **fields}
        self._save()

    def finish(self, state: str, at: float = 0.0) -> None:
        """The run is over: "succeeded", "failed", "interrupted" or "cancelled"; now, or since `at`."""
        self.update(state=state, finished=at or self._clock())
        if self._events >= 0:
            os.close(self._events)
            self._events = -1


def create(
    plan: Plan,
    parameters: Mapping[str, Any],
    *,
    folder: str | Path | None = None,
    clock: Callable[[], float] = time.time,
    **fields: Unpack[RunDetails],
) -> RunFolder:
    """Begin the record of a run; ``folder`` is as for `home`, ``clock`` gives POSIX seconds.

    Raises `UsageError` if the folder cannot be written.
    """
    base = home(folder) / "runs"
    try:
        base.mkdir(parents=True, exist_ok=True)
        path = new_folder(base, clock())
    except OSError as error:
        raise UsageError(
            f"the run cannot be recorded in {base}: {error.strerror}",
            hint="set --home or KALELITE_HOME to a folder that can be written",
        ) from error
    data: RunData = {
        "id": path.name,
        "pipeline": plan.name,
        "state": "running",
        "started": clock(),
        "process": {"pid": os.getpid(), "host": os.uname().nodename, "born": born(os.getpid())},
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "experiment": plan.options.experiment,
        "tasks": [_task_summary(task) for task in plan.tasks],
        **fields,
    }
    return RunFolder(path, data, clock)


def _plain(value: Any) -> Any:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)
    return value


def _task_summary(task: Task) -> TaskData:
    return {
        "id": task.id,
        "step": task.step.name,
        "kind": "step" if isinstance(task.step, StepDef) else "container",
        "outputs": [output.name for output in task.outputs],
        "parent": task.parent,
    }
