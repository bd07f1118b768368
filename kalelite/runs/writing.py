"""The record of a run in the making."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.executor.record_file import encode
from kalelite.home_folder import home
from kalelite.plan.graph import Plan, StepDef, Task
from kalelite.runs.run_dirs import born, new_folder
from kalelite.runs.run_files import (
    EventData,
    EventDetails,
    RunData,
    RunDetails,
    TaskData,
    plain_parameters,
)

if TYPE_CHECKING:
    from kalelite.executor.spec import Record

_ENCODE = json.JSONEncoder(default=repr).encode


class RunFolder:
    """The record of a run in the making; one process writes it.

    ``plan`` is what its diagram shows; None if that is there already.
    """

    def __init__(
        self, folder: Path, data: RunData, clock: Callable[[], float], plan: Plan | None
    ) -> None:
        self.folder = folder
        self._plan = plan
        self._data = data
        self._clock = clock
        self._events = self._kept = -1
        self._save()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def home(self) -> Path:
        """The home that holds the run."""
        return self.folder.parent.parent

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
            self._events = _opened(self.folder / "events.jsonl")
        # One write of a whole line: a reader, or a crash, sees all of it or a torn last line.
        os.write(self._events, line.encode() + b"\n")

    def take(self, record: Record, folder: Path) -> None:
        """Note that an instance was taken from an earlier run, whose folder for it is given.

        What it has printed and logged is linked into this run, so that either may be deleted.

        Raises `OSError`: what it has logged is gone.
        """
        log = folder / "log.txt"
        if log.exists() and log.stat().st_size:
            _link_or_copy(log, self.task(record.task) / log.name)
        if record.artifacts:
            import shutil  # slow to import, and rarely needed

            shutil.copytree(
                folder / "artifacts",
                self.task(record.task) / "artifacts",
                symlinks=True,
                copy_function=_link_or_copy,
            )
        self.keep(record)

    def keep(self, record: Record) -> None:
        """Note that an instance was taken from an earlier run."""
        line = encode({"at": self._clock(), "record": record})
        if self._kept < 0:
            self._kept = _opened(self.folder / "kept.jsonl")
        os.write(self._kept, line.encode() + b"\n")

    def draw(self) -> None:
        """Keep the diagram of the plan, which reports show; at the latest when the run is over."""
        if self._plan is not None:
            from kalelite.runs.diagram_file import write_diagram  # the start of a run need not wait

            write_diagram(self.folder, self._plan)
            self._plan = None

    def update(self, **fields: Unpack[RunDetails]) -> None:
        """Add fields to run.json, such as ``code`` or ``url``."""
        self._data = {**self._data, **fields}
        self._save()

    def finish(self, state: str, at: float = 0.0) -> None:
        """The run is over: "succeeded", "failed", "interrupted" or "cancelled"; now, or since `at`."""
        self.draw()
        self.update(state=state, finished=at or self._clock())
        for number in (self._events, self._kept):
            if number >= 0:
                os.close(number)
        self._events = self._kept = -1


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        import shutil

        shutil.copyfile(source, target)


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
        "parameters": plain_parameters(parameters),
        "experiment": plan.options.experiment,
        "tasks": [task_summary(task) for task in plan.tasks],
        **fields,
    }
    return RunFolder(path, data, clock, plan)


def task_summary(task: Task) -> TaskData:
    """A task as ``run.json`` has it."""
    return {
        "id": task.id,
        "step": task.step.name,
        "kind": "step" if isinstance(task.step, StepDef) else "container",
        "outputs": [output.name for output in task.outputs],
        "parent": task.parent,
        "cache": bool(task.options.cache),
    }
