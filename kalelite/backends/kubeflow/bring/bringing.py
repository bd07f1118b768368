"""Brings what a run has left on its volume: its records, and the values that are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kalelite.backends.kubeflow.bring.reader_pod import ReaderPod
from kalelite.errors import ClusterError, CorruptObjectError
from kalelite.executor import record_file
from kalelite.executor.spec import Record
from kalelite.marshal.blobs import BlobName, BlobStore
from kalelite.marshal.manifest import Manifest


def bring_records(reader: ReaderPod, run: str, to: Path, scratch: Path) -> dict[str, Record]:
    """Copy the records of a run's tasks into the folder of its tasks here; by instance.

    ``run`` is the id under which the pods keep them. Nothing that is here is replaced by less.
    """
    found: dict[str, Record] = {}
    if not reader.copy(f"runs/{run}/tasks", scratch):
        return found
    for path in sorted((scratch / "runs" / run / "tasks").glob("*/record.json")):
        with suppress(CorruptObjectError, OSError):
            record = record_file.read(path)
            if record is not None:
                found[record.task] = record
                target = to / record.task
                target.mkdir(parents=True, exist_ok=True)
                record_file.commit(record, target / "record.json")
    return found


def bring_value(reader: ReaderPod, reference: str, home: Path) -> None:
    """Copy a value, with all that it is made of, into the store here.

    Nothing is unpickled; digests are checked when it is loaded. Raises `ClusterError` if the value
    is no longer there.
    """
    store = BlobStore(str(home / "store"), "", False, 0.0, lambda _: None)
    _bring(reader, store, [BlobName("objects", reference)], home)
    manifest = Manifest.from_bytes(store.read(BlobName("objects", reference)))[0]
    payload = [BlobName("payloads", manifest.payload, manifest.suffix)] if manifest.payload else []
    _bring(reader, store, [*payload, *(BlobName("files", link) for link in manifest.links)], home)


def _bring(reader: ReaderPod, store: BlobStore, names: Iterable[BlobName], home: Path) -> None:
    for name in names:
        path = Path(store.path(name))
        if path.exists():
            continue
        relative = path.relative_to(home)
        if not reader.copy(str(relative), home):
            raise ClusterError(f"{name.reference} is no longer on the run's volume")
