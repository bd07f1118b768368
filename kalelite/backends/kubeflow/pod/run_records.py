"""The records of a run's instances, as they stand on the volume that its pods share.

Where pods share none, a pod has those of the tasks before it, which came with their values.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.pod.contract import RECORD
from kalelite.errors import ClusterError, KaleliteError, UsageError
from kalelite.executor import record_file
from kalelite.executor.spec import Record
from kalelite.marshal.store import Store
from kalelite.volumes.marker import verify

LOST = "its pod was ended before the step was: killed, evicted, or its node gone"
"""What becomes of a step whose pod has gone without a word."""

_PATIENCE = 60.0
"""Seconds in which what one node has written is seen by the others; NFS takes 30 at the most."""


def instance_name(task: str, index: Sequence[int]) -> str:
    """The name of an instance: ``train``, ``train[3]``."""
    return task + "".join(f"[{position}]" for position in index)


def on_volume(home: str, run: str) -> tuple[RunRecords, Store]:
    """The records of a run and its store, in kalelite's folder on a volume."""
    # sha256, because no other digest is in every image.
    store = Store(Path(home) / "store", digest="sha256", durable=True)
    return RunRecords(Path(home) / "runs" / run / "tasks"), store


class RunRecords:
    """The folder of a run's tasks. ``shared``: pods on other nodes write there, too."""

    def __init__(self, folder: Path, *, shared: bool = True) -> None:
        self.folder = folder
        self.shared = shared

    def verify_volumes(self, marks: Mapping[str, str], room: int) -> None:
        """Look at the volumes before the first task; others may have changed what is there.

        Raises `ClusterError` unless each of these folders holds its mark, and ``room`` bytes are
        free on the volume with kalelite's folder.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()):
            return
        for folder, mark in marks.items():
            verify(folder, mark)
        volume = self.folder.parents[3]
        state = os.statvfs(volume)
        free = state.f_bavail * state.f_frsize
        if free < room:
            raise ClusterError(
                f"the volume at {volume} has {free:,} bytes free, less than the {room:,} of "
                "marshal_volume_size",
                hint="kalelite clean --store frees what no run refers to. No step was run on it.",
            )

    def make(self, name: str) -> Path:
        """The folder of an instance, made if it is not there; raises `UsageError` if it can't be."""
        folder = self.folder / name
        mask = os.umask(0)  # another step may run as another user
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "events.jsonl").touch()
            (self.folder.parents[2] / "store").mkdir(exist_ok=True)
        except OSError as error:
            home = self.folder.parents[2]
            raise UsageError(
                f"step {name!r} runs as user {os.getuid()}, who may not write to {home}: {error}",
                hint="A new volume (marshal_volume=True) is opened for users that are named: "
                "security_context={'run_as_user': …}. A lasting claim has to be writable for them.",
            ) from error
        finally:
            os.umask(mask)
        return folder

    def record(self, name: str) -> Record | None:
        """The record of an instance, if it has left one that can be read."""
        with suppress(KaleliteError, OSError):
            return record_file.read(self.folder / name / "record.json")
        return None

    def first(self, names: Sequence[str], *, wait: bool) -> tuple[str, Record | None]:
        """The first instance that has succeeded; "" if none has.

        ``wait`` where one of them has, as KFP says: another node may have written it just now.
        """
        until = time.monotonic() + (_PATIENCE if wait and self.shared else 0)
        while True:
            for name in names:
                record = self.record(name)
                if record is not None and record.status == "succeeded":
                    return name, record
            if time.monotonic() >= until:
                return "", None
            time.sleep(0.5)
            self.instances("")  # a listing makes NFS look again

    def instances(self, task: str, index: Sequence[int] = ()) -> list[str]:
        """The instances of a task below a place in the loops that have begun, in order."""
        first = instance_name(task, index)
        with suppress(OSError):
            names = [name for name in os.listdir(self.folder) if name.partition("[")[0] == task]
            return sorted((n for n in names if n == first or n.startswith(f"{first}[")), key=_order)
        return []

    def event(self, name: str, state: str, **more: Any) -> None:
        """Note that the state of an instance changed."""
        line = json.dumps({"at": time.time(), "task": name, "state": state, **more})
        with (self.folder / name / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def tell(self, record: Record) -> None:
        """Write a record to the pod's log, too, where whoever follows the run reads it."""
        print(f"{RECORD}{record_file.encode(record)}", flush=True)

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """What was noted of an instance; a line that was cut short is left out."""
        with suppress(OSError):
            for line in (self.folder / name / "events.jsonl").read_bytes().splitlines():
                with suppress(ValueError):
                    yield json.loads(line)

    def end(self, name: str) -> tuple[str, str]:
        """The last state of an instance, and why; "lost" if its pod has gone without a word."""
        *_, last = [{}, *self.events(name)]
        state, reason = str(last.get("state", "")), str(last.get("reason", ""))
        record = self.record(name)
        if record is not None and state != "retrying":
            return record.status, record.failure.message if record.failure else ""
        if state in ("running", "retrying"):
            return "lost", LOST
        return state, reason


def _order(name: str) -> list[int]:
    return [int(part) for part in name.replace("]", "").split("[")[1:]]
