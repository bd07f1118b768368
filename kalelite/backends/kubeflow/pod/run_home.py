"""A pod's own folder for records and values, where these travel as artifacts of KFP.

It travels where they do. What the artifacts hold that KFP has brought is put into the folder, and
what the pod adds is put into those that KFP takes away. Such an artifact is a folder:

    tasks/<instance>/…      the record, the events and the log of each instance that ran in the pod
    objects/… payloads/…    the values that they have returned, as they are in a store
    files/….tar             files and folders among them: object stores keep no modes, links or
                            empty folders
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.pod.run_records import RunRecords
from kalelite.frozen import frozen
from kalelite.marshal.store import Store

KEPT = "kept--"
"""How the names of such artifacts begin; those of a user's own have no dashes."""

_DISKS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
"""Where KFP's launcher puts what is in an object store."""

_FILTER: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
"""Debian 12's Python 3.11.2 does not have it."""


@frozen
class RunHome:
    """The records and the store of a pod; ``brought`` are the instances of other pods in it."""

    records: RunRecords
    store: Store
    brought: frozenset[str]

    def hand_on(self, outputs: Mapping[str, Any], given: Collection[str]) -> None:
        """Fill the artifacts that KFP takes away; those that are not ``given`` hold no values."""
        kept = list(_kept(outputs))
        folder = self.records.folder
        own = [name for name in os.listdir(folder) if name not in self.brought] if kept else []
        for name, path in kept:
            path.mkdir(parents=True)
            for task in own if name in given else ():
                _link_tree(folder / task, path / "tasks" / task)
                record = self.records.record(task)
                for output in record.outputs.values() if record else ():
                    self._hand_on(output["ref"], path)
            # There is nothing in an object store without a file in it.
            (path / "kalelite").touch()

    def _hand_on(self, reference: str, target: Path) -> None:
        for path in self.store.paths(reference):
            into = target / path.relative_to(self.store.folder)
            if not path.is_dir():
                _link(path, into)
            elif not (tar := into.with_name(f"{into.name}.tar")).exists():
                tar.parent.mkdir(parents=True, exist_ok=True)
                with tarfile.open(tar, "w") as archive:
                    archive.add(path, path.name)


def open_home(run: str, received: Mapping[str, Any]) -> RunHome:
    """A folder that has what KFP has brought; ``received`` is its executor input."""
    # Beside the artifacts, where links can be made instead of copies.
    outputs = [path for _, path in _kept(received.get("outputs", {}))]
    folder = Path(tempfile.mkdtemp(prefix="kalelite-", dir=outputs[0].parent if outputs else None))
    tasks = folder / "runs" / run / "tasks"
    tasks.mkdir(parents=True)
    for _, path in _kept(received.get("inputs", {})):
        _link_tree(path / "tasks", tasks)
        for kind in ("objects", "payloads"):
            _link_tree(path / kind, folder / "store" / kind)
        for tar in (path / "files").rglob("*.tar"):
            target = folder / "store" / tar.parent.relative_to(path)
            if not (target / tar.stem).exists():
                with tarfile.open(tar) as archive:
                    archive.extractall(target, **_FILTER)  # noqa: S202 - pods of this run wrote it
    store = Store(folder / "store", digest="sha256")
    records = RunRecords(tasks, shared=False)
    return RunHome(records, store, frozenset(os.listdir(tasks)))


def _kept(side: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The artifacts of an executor input that are kalelite's, and where they are on the disk."""
    for name, each in sorted(side.get("artifacts", {}).items()):
        if name.startswith(KEPT):
            yield from ((name, _path(artifact["uri"])) for artifact in each["artifacts"])


def _path(uri: str) -> Path:
    for scheme, disk in _DISKS.items():
        if uri.startswith(scheme):
            return Path(disk + uri.removeprefix(scheme))
    return Path(uri)


def _link_tree(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        for name in names:
            path = Path(folder, name)
            _link(path, target / path.relative_to(source))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another filesystem
        shutil.copyfile(source, target)
