"""The functions of kalelite's own steps: what `kalelite.snapshot` and `kalelite.sync` do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import UsageError
from kalelite.executor.metrics import current_record
from kalelite.home_folder import home
from kalelite.humanize import count, size
from kalelite.volumes.stored_object import is_url, libraries_for

if TYPE_CHECKING:
    from kalelite.plan.graph import Task
    from kalelite.volumes.object_sync import ObjectSync


def snapshot(volume: str = "workspace", *, snapshot_class: str | None = None) -> str:
    """Keep the state that a folder is in now: here the folder, on Kubernetes the volume it is on.

    In the body of a pipeline it is a step: ``kept = snapshot("workspace", after=model)``; steps
    that change the folder later wait for it, ``after=kept``. Called elsewhere, it is taken at once.
    ``kalelite snapshots`` lists them with run, step and time, and restores one.

    Parameters
    ----------
    volume
        ``"workspace"``, the folder of the project, or the path of a folder, such as the one at
        which steps find a volume.
    snapshot_class
        On Kubernetes, the class of the VolumeSnapshot, which has to be of the volume's driver. By
        default it is that of the snapshot that the volume is a clone of, else the cluster's own.

    Returns
    -------
    str
        The snapshot's id.

    Raises
    ------
    UsageError
        There is no such folder, or no room.
    ClusterError
        On Kubernetes: the folder is on no volume, or its snapshot does not get ready.
    """
    from kalelite.volumes.folder_snapshots import FolderSnapshots
    from kalelite.volumes.step_snapshot import POD, take_of_volume

    record = current_record()
    if not record:
        return FolderSnapshots(home()).take(volume).id
    run = Path(record).parents[2]
    if Path.cwd().is_relative_to(run):
        raise UsageError(
            "this step has a working folder of its own, made of links, and no workspace",
            hint="Call snapshot() in the body of the pipeline, after the step.",
        )
    step = Path(record).parent.name
    if POD in os.environ:
        return take_of_volume(volume, snapshot_class, run=run.name, step=step)
    taken = FolderSnapshots(run.parents[1]).take(volume, run=run.name, step=step)
    what = f"{count(taken.files, 'file')}, {size(taken.size)}"
    print(f"snapshot {taken.id} of {taken.folder}: {what}")
    for each in taken.left_out:
        print(f"left out: {each}")
    return taken.id


def sync(
    source: str,
    target: str,
    *,
    delete: bool = False,
    parallelism: int = 8,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Copy what has changed from an object store into a folder, or from a folder into a store.

    In the body of a pipeline it is a step, ``data = sync("s3://bucket/prefix", "data/")``; called
    elsewhere, it copies at once.

    Parameters
    ----------
    source, target
        One is a URL, the other a folder.
    delete
        Remove from the target what the source does not have; nothing is removed otherwise.
    parallelism
        How many files are copied at once.
    storage_options
        What fsspec takes for the store, such as ``{"anon": True}``. Credentials come from the
        environment (`secrets=` of a step) or the identity of the machine or pod.

    Returns
    -------
    str
        The target, so that what uses it waits.

    Raises
    ------
    UsageError
        Not one of the two is a URL, or the folder is not there.
    TransferError
        The store cannot be reached, read or written. What is copied by then is whole.
    """
    transfer = _transfer(source, target, parallelism, storage_options or {})
    work = transfer.upload if is_url(target) else transfer.download
    done = work(delete=delete)
    if current_record():
        print(f"{count(done.copied, 'file')} copied ({size(done.size)})")
        print(f"{done.unchanged} unchanged, {done.deleted} deleted")
    return target


def _transfer(source: str, target: str, parallelism: int, options: Mapping[str, Any]) -> ObjectSync:
    if is_url(source) == is_url(target):
        raise UsageError(
            f"sync copies between a store and a folder, not from {source!r} to {target!r}",
            hint='Write sync("s3://bucket/prefix", "data/"), or the two the other way around.',
        )
    from kalelite.volumes.object_sync import ObjectSync

    url, folder = (source, target) if is_url(source) else (target, source)
    record = current_record()
    where = Path(record).parents[4] if record else home()
    place = Path(folder).expanduser().absolute()
    return ObjectSync(url.rstrip("/"), place, where, parallelism, options)


def class_of(task: Task) -> tuple[str, str] | None:
    """The volume and the snapshot class of a task of `snapshot` that names one."""
    if getattr(task.step, "function", None) is not snapshot:
        return None
    given = {name: getattr(each, "value", None) for name, each in task.arguments.items()}
    name, volume = given.get("snapshot_class"), given.get("volume", "workspace")
    return (volume, name) if isinstance(name, str) and isinstance(volume, str) else None


def libraries_of(task: Task) -> list[str]:
    """The packages that a task of `sync` needs, as far as its URL is known."""
    if getattr(task.step, "function", None) is not sync:
        return []
    given = (getattr(task.arguments.get(name), "value", None) for name in ("source", "target"))
    urls = [each for each in given if isinstance(each, str) and is_url(each)]
    return libraries_for(urls[0]) if urls else ["fsspec"]
