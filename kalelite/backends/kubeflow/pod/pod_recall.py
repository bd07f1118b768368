"""What an instance in its pod need not compute: an earlier run has left it on the volume.

Next to the records of a run lies a file for each key of its finished instances, which names the
instance: by these another run goes on from it.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.atomic import write_atomically
from kalelite.backends.kubeflow.pod.key_parts import found_here
from kalelite.backends.kubeflow.pod.run_records import RunRecords
from kalelite.errors import MarshalError
from kalelite.executor.execute import execute
from kalelite.executor.record_file import commit, inputs_of
from kalelite.executor.result_cache import Found, ResultCache, is_whole
from kalelite.executor.task_key import Keys, TaskKey, brings_code

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import Recalling
    from kalelite.capture.load import CodeSource
    from kalelite.executor.spec import Record, TaskSpec
    from kalelite.marshal.store import Store


class PodRecall:
    """Looks for the result of one instance, and keeps it; in a run whose records are given."""

    def __init__(self, recalling: Recalling, records: RunRecords, store: Store) -> None:
        self._recalling = recalling
        self._tasks = records.folder
        self._run = records.folder.parent
        self._store = store
        self._cache = ResultCache(self._run.parents[1] / "cache", store)
        self._key = ""
        self._parts: dict[str, str] = {}

    def execute(self, spec: TaskSpec, code: CodeSource) -> Record:
        """Run the instance, unless there is a result that stands for it; its record, committed."""
        record = self._find(spec)
        if record is None:
            record = execute(spec, code, self._store, durable=True, parts=self._parts)
        if record.failure is None:
            self._keep(record)
        return record

    def _find(self, spec: TaskSpec) -> Record | None:
        """The result that stands for an instance, committed as its record."""
        data = self._recalling["key"]
        if data is None:
            return self._take(self._given(spec.task), spec)
        inputs = inputs_of(spec.arguments)
        self._parts = found_here(data["parts"])
        keys = Keys(TaskKey(**{**data, "parts": {**data["parts"], **self._parts}}))
        self._key = keys.of(inputs, spec.place, lineage=brings_code(inputs, self._encoding))
        return self._take(self._found(spec.task), spec)

    def _take(self, found: Found | None, spec: TaskSpec) -> Record | None:
        if found is None:
            return None
        record = replace(found.record, attempt=spec.attempt)
        print(f"kalelite: {spec.task} was taken from run {record.cached}", flush=True)
        with suppress(OSError), (found.folder / "log.txt").open("rb") as log:
            sys.stdout.buffer.writelines(line for line in log if not line.startswith(b"kalelite: "))
        if record.artifacts:
            mine = Path(spec.record).parent / "artifacts"
            shutil.copytree(found.folder / "artifacts", mine, dirs_exist_ok=True)
        commit(record, spec.record, durable=True)
        return record

    def _keep(self, record: Record) -> None:
        """Keep the result of the instance that was looked for, for runs to come."""
        if not self._key:
            return
        mask = os.umask(0)  # another step may run as another user
        try:
            with suppress(OSError):  # it will be computed again, that is all
                (self._run / "keys").mkdir(exist_ok=True)
                write_atomically(self._run / "keys" / self._key, record.task.encode())
            if self._recalling["kept"] and not record.cached:
                folder = self._tasks / record.task
                self._cache.keep(self._key, record, self._run.name, folder)
        finally:
            os.umask(mask)

    def _found(self, instance: str) -> Found | None:
        for run in self._recalling["runs"]:
            found = self._of_run(self._run.parent / run, instance)
            if found is not None:
                return found
        return self._cache.find(self._key, instance) if self._recalling["taken"] else None

    def _given(self, instance: str) -> Found | None:
        found = (
            self._named(self._run.parent / run, instance, instance)
            for run in self._recalling["runs"]
        )
        return next(filter(None, found), None)

    def _of_run(self, run: Path, instance: str) -> Found | None:
        try:
            name = (run / "keys" / self._key).read_text("utf-8")
        except OSError:
            return None
        return self._named(run, name, instance)

    def _named(self, run: Path, name: str, instance: str) -> Found | None:
        record, folder = RunRecords(run / "tasks").record(name), run / "tasks" / name
        if record is None or record.status != "succeeded":
            return None
        if not is_whole(record, folder, self._store):
            return None
        return Found(replace(record, task=instance, cached=record.cached or run.name), folder)

    def _encoding(self, reference: str) -> str:
        try:
            return self._store.describe(reference).encoding
        except MarshalError:
            return "pickle"
