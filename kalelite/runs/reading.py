"""Runs, read from their folders as they are now."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import UsageError
from kalelite.executor import record_file as records
from kalelite.frozen import frozen
from kalelite.runs.kept_results import cached_reason, read_kept
from kalelite.runs.run_dirs import born, is_alive, natural, run_ids, run_names, runs_folder, task_of
from kalelite.runs.run_tags import RunTags, folders_named

if TYPE_CHECKING:
    from kalelite.executor.spec import OutputEntry, Record
    from kalelite.runs.run_files import RunData

_FINAL = frozenset({"succeeded", "failed", "skipped", "not run", "cached"})


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


@frozen
class Run:
    """A run, read from its folder as it is now."""

    folder: Path
    data: RunData = field(repr=False)

    @classmethod
    def open(cls, run: str = "last", *, folder: str | Path | None = None) -> Run:
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
            close = found or difflib.get_close_matches(run, ids, 3, 0.5) or ids[-3:]
            title = "several runs begin with" if found else "there is no run that begins with"
            title = "several runs are called" if called else title
            raise UsageError(f"{title} {run!r}", hint=f"there are {', '.join(close[-5:])}")
        return cls._read(base / found[0])

    @classmethod
    def _read(cls, path: Path) -> Run:
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

    @property
    def values(self) -> Mapping[str, Any]:
        """The outputs by "task.output", each loaded from the store when it is asked for."""
        from kalelite.runs.logged import RunValues

        return RunValues(self)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last value of every metric, by "task.metric"."""
        return {name: points[-1][1] for name, points in self.curves.items()}

    @property
    def curves(self) -> Mapping[str, list[tuple[float, float]]]:
        """All points of every metric, by "task.metric": step and value.

        Where no step was given, its place in the series stands for it.
        """
        from kalelite.runs.logged import curves_of

        return curves_of(self.tasks)

    @property
    def artifacts(self) -> Mapping[str, Path]:
        """The files and folders that were logged, by "task.artifact"."""
        from kalelite.runs.logged import artifacts_of

        return {f"{one.task}.{one.name}": one.path for one in artifacts_of(self.tasks)}

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """What the tasks left, by "task.output": reference, type, size and preview."""
        return {
            f"{name}.{output}": entry
            for name, task in self.tasks.items()
            if task.record is not None
            for output, entry in task.record.outputs.items()
        }

    def output_names(self, name: str) -> list[str]:
        """The outputs that a name stands for, as `outputs` has them; raises `UsageError`."""
        from kalelite.runs.stored_values import chosen_outputs

        return chosen_outputs(name, self.outputs())[0]

    def read(self, entry: OutputEntry) -> Any:
        """The value of an output."""
        from kalelite.runs.stored_values import load_entry

        return load_entry(self, entry)

    def load(self, name: str) -> Any:
        """An output: ``"train.model"``, or ``"train"`` if the task has one.

        For a task in a loop ``"train[2].model"`` gives one item's, ``"train.model"`` the list.

        Raises
        ------
        UsageError
            if there is no such output.
        MissingObjectError
            if the value is no longer in the store.
        """
        from kalelite.runs.stored_values import load_output

        return load_output(self, name)

    def resume(self) -> Any:
        """Go on with the run, by its pipeline as this process has it now; what that returned.

        What is finished and unchanged is taken, the rest runs.

        Raises
        ------
        UsageError
            if this process has no pipeline of that name.
        """
        from kalelite.runs.run_again import resume

        return resume(self)

    def _repr_html_(self) -> str:
        """How a notebook shows the run: what each task did and gave."""
        from kalelite.runs.html import run_html

        return run_html(self)


def _lines(file: Path) -> list[bytes]:
    """The lines of a file, which need not be there."""
    with contextlib.suppress(OSError):
        return file.read_bytes().split(b"\n")
    return []


def list_runs(
    *, folder: str | Path | None = None, limit: int | None = None, skip: int = 0
) -> list[Run]:
    """The runs, newest first; unreadable ones are left out. ``skip`` leaves out the newest ones."""
    base = runs_folder(folder)
    found: list[Run] = []
    for name in run_names(base)[::-1][skip:]:
        if limit is not None and len(found) >= limit:
            break
        with contextlib.suppress(UsageError):
            found.append(Run._read(base / name))  # noqa: SLF001 - the same module
    return found


def load(run: str, name: str, *, folder: str | Path | None = None) -> Any:
    """Any output of any past run: ``kalelite.load("last", "train.model")``.

    Parameters
    ----------
    run
        A run's id, the beginning of one, or "last".
    name
        A step and its output, as ``kalelite show`` lists them: ``"train.model"``, or ``"train"``
        if the step has one. Of a step in a loop ``"train[2].model"`` is one item's, and
        ``"train.model"`` the list of all.
    folder
        Where runs and values are kept; by default the nearest ``.kalelite`` folder upwards.

    Returns
    -------
    Any
        The value, as the step returned it.

    Raises
    ------
    UsageError
        if there is no such run or output.
    MarshalError
        if the value is no longer in the store, or cannot be read here.
    """
    return Run.open(run, folder=folder).load(name)
