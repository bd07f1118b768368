"""Runs, read from their folders as they are now."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kalelite.errors import UsageError
from kalelite.executor import record_file as records
from kalelite.frozen import frozen
from kalelite.runs.kept_results import cached_reason, read_kept
from kalelite.runs.run_dirs import born, is_alive, natural, run_ids, runs_folder, task_of
from kalelite.runs.run_tags import RunTags, folders_named
from kalelite.runs.task_state import TaskState

if TYPE_CHECKING:
    from kalelite.runs.run_files import RunData

_FINAL = frozenset({"succeeded", "failed", "skipped", "not run", "cached"})


@frozen
class RunRecord:
    """A run, read from its folder as it is now."""

    folder: Path
    data: RunData = field(repr=False)

    @classmethod
    def open(cls, run: str = "last", *, folder: str | Path | None = None) -> Self:
        """Read a run by its id, by the beginning of it, by its name, or "last".

        Raises
        ------
        UsageError
            if there is no such run, or there are several.
        """
        base = runs_folder(folder)
        ids = run_ids(base)
        if not ids:
            raise UsageError(f"there is no run in {base}", hint="run a pipeline first")
        found = ids[-1:] if run == "last" else [name for name in ids if name.startswith(run)]
        called = [] if found else list(folders_named(base, run))
        found = found or called
        if len(found) != 1:
            import difflib  # here: only mistakes need it

            close = found or difflib.get_close_matches(run, ids, 3, 0.5) or ids[-3:]
            title = "several runs begin with" if found else "there is no run that begins with"
            title = "several runs are called" if called else title
            raise UsageError(f"{title} {run!r}", hint=f"there are {', '.join(close[-5:])}")
        return cls.from_folder(base / found[0])

    @classmethod
    def from_folder(cls, path: Path) -> Self:
        """Read the run of a folder; raises `UsageError` if its record cannot be read."""
        try:
            data = json.loads((path / "run.json").read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"the record of run {path.name} cannot be read: {error}") from error
        return cls(path, data)

    @property
    def id(self) -> str:
        """The run's id; ids sort by time."""
        return self.folder.name

    @property
    def home(self) -> Path:
        """The home that holds the run."""
        return self.folder.parent.parent

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return str(self.data.get("pipeline", ""))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of the pipeline's parameters."""
        return self.data.get("parameters", {})

    @property
    def state(self) -> str:
        """One of running, succeeded, failed, interrupted, cancelled; crashed if its process is gone."""
        state = str(self.data.get("state", ""))
        if self.data.get("kfp", {}).get("run"):
            return state  # it goes on without the process that started it
        process = self.data.get("process", {})
        if state != "running" or process.get("host") != os.uname().nodename:
            return state
        pid = int(process["pid"])
        return "running" if born(pid) == process.get("born") and is_alive(pid) else "crashed"

    @property
    def seconds(self) -> float:
        """How long the run took, or has been running."""
        finished = self.data.get("finished") or time.time()
        return float(finished - self.data["started"])

    @property
    def tasks(self) -> dict[str, TaskState]:
        """The instances, in the order of the plan; those of a loop in the order of its items."""
        events, kept, state = self._events(), read_kept(self.folder), self.state
        instances: dict[str, set[str]] = {task["id"]: set() for task in self.data.get("tasks", ())}
        for name in {*events, *self._folders(), *kept}:
            instances.get(task_of(name), set()).add(name)
        return {
            name: self._task(name, events.get(name, {}), kept.get(name), state)
            for id, names in instances.items()
            for name in sorted(names or {id}, key=natural)
        }

    @property
    def tags(self) -> RunTags:
        """Its name, note and tags."""
        return RunTags.read(self.folder)

    @property
    def resumes(self) -> str:
        """The run that this one went on from; empty for none."""
        return self.data.get("resumes", "")

    def _folders(self) -> list[str]:
        with contextlib.suppress(OSError):
            return [path.name for path in (self.folder / "tasks").iterdir()]
        return []

    def _events(self) -> dict[str, dict[str, Any]]:
        """The last event of each instance, with the time of its first start."""
        found: dict[str, dict[str, Any]] = {}
        files = [self.folder / "events.jsonl"]
        if "kfp" in self.data:  # the pod of each instance has a file of its own, the truth about it
            files += (self.folder / "tasks").glob("*/events.jsonl")
        for file in files:
            for line in _lines(file):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    event = json.loads(line)
                    before = found.get(event["task"], {})
                    started = before.get("started")
                    if started is None and event["state"] == "running":
                        started = event["at"]
                    found[event["task"]] = {**event, "started": started}
        return found

    def _task(
        self,
        name: str,
        event: Mapping[str, Any],
        kept: Mapping[str, Any] | None,
        run_state: str,
    ) -> TaskState:
        folder = self.folder / "tasks" / name
        if kept is not None:
            taken, at = records.parse(kept["record"]), kept["at"]
            return TaskState(name, "cached", cached_reason(taken), taken, at, at, folder)
        record = records.read(folder / "record.json")
        state = str(event.get("state") or ("waiting" if record is None else record.status))
        if record is not None and state not in _FINAL and state != "retrying":
            # The record is the truth; the line that tells of it may not have been written.
            state = record.status
        if run_state != "running" and state in {"waiting", "running", "retrying"}:
            state = "not run"
        started, finished = event.get("started"), None
        if record is not None:
            started, finished = record.started, record.finished
        elif state in _FINAL:
            finished = event.get("at", started)
        reason = str(event.get("reason", ""))
        return TaskState(name, state, reason, record, started, finished, folder)

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """What the tasks left, by "task.output": reference, type, size and preview."""
        return {
            f"{name}.{output}": entry
            for name, task in self.tasks.items()
            if task.record is not None
            for output, entry in task.record.outputs.items()
        }


def _lines(file: Path) -> list[bytes]:
    """The lines of a file, which need not be there."""
    with contextlib.suppress(OSError):
        return file.read_bytes().split(b"\n")
    return []
