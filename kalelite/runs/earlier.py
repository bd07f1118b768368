"""The results of an earlier run, and of those that it went on from, by what they depend on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.errors import MarshalError, MissingObjectError, UsageError
from kalelite.executor.record_file import parse
from kalelite.executor.result_cache import Found, is_whole
from kalelite.executor.task_key import Keys, brings_code
from kalelite.runs.kept_results import read_keys, read_records
from kalelite.runs.pipeline_run import Run
from kalelite.runs.run_dirs import task_of

if TYPE_CHECKING:
    from kalelite.executor.spec import Record, Slot
    from kalelite.marshal import Store
    from kalelite.runs.task_state import TaskState


class Earlier:
    """The finished instances of a run, and of the runs that it went on from."""

    def __init__(self, run: Run, store: Store) -> None:
        self.run = run
        self._store = store
        self._known: dict[str, tuple[Run, Mapping[str, Any]]] = {}
        for each in chain(run):
            self._index(each)

    def _index(self, run: Run) -> None:
        keys = {id: Keys(key) for id, key in read_keys(run.folder).items()}
        for name, data in read_records(run.folder):
            made = keys.get(task_of(name))
            if made is not None and data["status"] == "succeeded":
                for lineage in (True, False):
                    key = made.of(data.get("inputs", {}), name, lineage=lineage)
                    self._known.setdefault(key, (run, data))

    def find(self, keys: Keys, inputs: Mapping[str, Slot], instance: str) -> Found | None:
        """The result that stands for an instance of the task that the keys are of."""
        found = self._known.get(keys.of(inputs, instance, lineage=True))
        if found is None:
            found = self._known.get(keys.of(inputs, instance, lineage=False))
            if found is None or brings_code(inputs, self._encoding):
                return None
        run, data = found
        return _taken(run, parse(data), instance, self._store)

    def _encoding(self, reference: str) -> str:
        try:
            return self._store.describe(reference).encoding
        except MarshalError:
            return "pickle"


class Given:
    """What a run starts with: the values of a step of an earlier run, and of all before it.

    ``tasks`` are the ids of those. Raises `UsageError` if one of them has not succeeded there.
    """

    def __init__(self, run: Run, tasks: Iterable[str], store: Store) -> None:
        self.run = run
        self._store = store
        self.tasks = frozenset(tasks)
        states = require_done(run, self.tasks)
        self._records = {name: one.record for name, one in states.items() if one.record is not None}

    def has(self, instance: str) -> bool:
        """Whether an instance is taken."""
        return instance in self._records

    def find(self, instance: str) -> Found:
        """Its result; raises `MissingObjectError` if that has gone."""
        found = _taken(self.run, self._records[instance], instance, self._store)
        if found is None:
            raise MissingObjectError(f"the values of {instance} of run {self.run.id} are gone")
        return found


def require_done(run: Run, tasks: Collection[str]) -> dict[str, TaskState]:
    """The instances of tasks in a run; raises `UsageError` if one of them has not succeeded there."""
    states = {name: one for name, one in run.tasks.items() if task_of(name) in tasks}
    for name, one in states.items():
        if one.status in {"failed", "not run", "waiting", "running", "retrying"}:
            raise UsageError(
                f"{name} has no value in run {run.id}: {one.status}",
                hint="Start after a step for which all before it has succeeded.",
            )
    return states


def _taken(run: Run, record: Record, instance: str, store: Store) -> Found | None:
    """A record of a run as that of an instance of another run; None if its values are gone."""
    folder = run.folder / "tasks" / record.task
    if not is_whole(record, folder, store):
        return None
    return Found(replace(record, task=instance, cached=record.cached or run.id), folder)


def chain(run: Run) -> Iterator[Run]:
    """A run and those that it went on from, as far as they are still there."""
    seen = {run.id}
    yield run
    while run.resumes and run.resumes not in seen:
        seen.add(run.resumes)
        try:
            run = Run.open(run.resumes, folder=run.home)
        except UsageError:
            return
        yield run
