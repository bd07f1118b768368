"""Results by the keys of what they depend on, in a folder: for steps with ``cache=True``.

An entry holds no values. It is the record of a task, whose values are in the store as long as a
run refers to them; one whose values have gone is no hit and is removed. Entries appear as a whole,
so runs may share a folder: two of them at once compute a value once or twice.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Container
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.atomic import write_atomically
from kalelite.executor.record_file import encode, parse
from kalelite.executor.spec import Record
from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.marshal.store import Store


@frozen
class Found:
    """An earlier result: its record, and the folder of what its step printed and logged."""

    record: Record
    folder: Path


def is_whole(record: Record, folder: Path, store: Store) -> bool:
    """Whether all values and files that a record names are still there."""
    files = (folder / "artifacts" / str(one["file"]) for one in record.artifacts)
    values = (store.holds(str(output["ref"])) for output in record.outputs.values())
    return all(values) and all(file.exists() for file in files)


@frozen
class ResultCache:
    """The entries in a folder, which is made when the first is written."""

    folder: Path
    store: Store

    def find(self, key: str, instance: str) -> Found | None:
        """The result that stands for an instance; its record names the run that computed it."""
        path = self._path(key)
        try:
            entry = json.loads(path.read_bytes())
            record = parse(entry["record"])
            run, folder = str(entry["run"]), Path(entry["folder"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not is_whole(record, folder, self.store):
            path.unlink(missing_ok=True)
            return None
        return Found(replace(record, task=instance, cached=run), folder)

    def keep(self, key: str, record: Record, run: str, folder: Path) -> None:
        """Keep the record of a task that has succeeded; ``folder`` is its own in the run."""
        entry = {"run": run, "folder": str(folder), "record": record}
        with contextlib.suppress(OSError):  # it will be computed again, that is all
            write_atomically(self._path(key), encode(entry).encode())

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


@frozen
class ResultClaims:
    """Who makes a shared result: the process that holds a lock by the name of its key.

    A process that dies has no locks any more.
    """

    folder: Path
    _held: dict[str, int] = field(default_factory=dict)

    def take(self, key: str) -> bool:
        """Whether this process makes it from now on; not if another does, or this one already."""
        if key in self._held:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        number = os.open(self.folder / key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # Of this process alone: a lock by `flock` would pass to its forks.
            fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
            return False
        self._held[key] = number
        return True

    def release(self, key: str) -> None:
        """It is made, or will not be."""
        number = self._held.pop(key, None)
        if number is not None:
            os.close(number)


def prune(folder: Path, keep: Container[str]) -> None:
    """Remove the entries with values that `keep` does not name: nothing holds those any more."""
    for path in folder.glob("*/*.json"):
        try:
            outputs = json.loads(path.read_bytes())["record"]["outputs"].values()
            live = all(output["ref"] in keep for output in outputs)
        except (OSError, ValueError, KeyError, TypeError):
            live = False
        if not live:
            path.unlink(missing_ok=True)
