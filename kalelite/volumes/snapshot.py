"""Snapshots of a notebook's volumes: planned, taken together, awaited together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.volumes import marker
from kalelite.volumes._client import Cluster
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.discover import MountedVolume, Notebook
from kalelite.volumes.owner import Owner, labels_of
from kalelite.volumes.provision import RUN_LABEL, is_of_run
from kalelite.volumes.resources import SNAPSHOTS, Json
from kalelite.volumes.waiting import (
    DEADLINE,
    Action,
    Awaited,
    Observed,
    Report,
    Verdict,
    wait_all,
)

_ABOUT = "kalelite.dev/about"
"""The annotation with what a run from this snapshot needs to know, as JSON."""
_QUIET = 30.0
"""Seconds without any status after which somebody should look at the controller."""


@frozen
class Snapshot:
    """A snapshot of a claim, and how the notebook mounted it.

    A claim that is mounted at several places has one snapshot, and several of these.

    Attributes
    ----------
    name, run
        The VolumeSnapshot, and the id under which it was taken.
    size
        What a clone needs at least, as a Kubernetes quantity; empty if the driver does not say.
    marked
        A mark was written to the volume first, which `kalelite.volumes.marker.verify` looks for.
    """

    name: str
    run: str
    volume: MountedVolume
    snapshot_class: str | None = None
    size: str = ""
    marked: bool = False


@frozen
class SnapshotSet:
    """Snapshots that were taken together, under one id, and where a step finds the same things.

    ``directory`` is the folder that one works in, ``image`` that of the notebook's container;
    ``user`` and ``group`` own the files, as far as is known.
    """

    run: str
    snapshots: tuple[Snapshot, ...]
    directory: str = ""
    image: str = ""
    user: int | None = None
    group: int | None = None


def snapshot_name(claim: str, run: str) -> str:
    """The name of a claim's snapshot for a run: one and the same at every attempt."""
    digest = hashlib.sha256(f"{run}\0{claim}".encode()).hexdigest()[:8]
    return f"{names.slug(claim.replace('.', '-'))}-{digest}"


def plan_snapshots(
    run: str, volumes: Sequence[MountedVolume], classes: Mapping[str, str | None]
) -> tuple[Snapshot, ...]:
    """The snapshots to take. ``classes`` are the snapshot classes by claim; None is the default."""
    return tuple(
        Snapshot(snapshot_name(volume.claim, run), run, volume, classes.get(volume.claim))
        for volume in volumes
    )


def take_snapshots(
    cluster: Cluster,
    planned: Sequence[Snapshot],
    owner: Owner,
    book: Notebook,
    *,
    deadline: float = DEADLINE,
    report: Report = lambda _: None,
) -> SnapshotSet:
    """Take all snapshots at one moment, and wait until each is ready.

    Files are written out first, and each volume that this process can write to is marked.

    Raises `VolumeError` if one is not ready at the deadline; errors that the driver reports on the
    way are not final, as the controller tries again.
    """
    run = owner.run
    marked = _mark(run, planned) if book.here else frozenset()
    planned = [replace(each, marked=each.volume.path in marked) for each in planned]
    taken = SnapshotSet(run, tuple(planned), book.directory, book.image, book.user, book.group)
    try:
        made = [_create(cluster, name, taken, owner) for name in _names(planned)]
        awaited = [
            Awaited(SNAPSHOTS, each["metadata"]["name"], each["metadata"]["uid"], _claim_of(each))
            for each in made
        ]
        ready = wait_all(cluster, awaited, step, deadline=deadline, report=report)
    finally:
        for path in marked:
            marker.remove(path, run)
    sizes = {each["metadata"]["name"]: each["status"].get("restoreSize") or "" for each in ready}
    return replace(taken, snapshots=tuple(replace(each, size=sizes[each.name]) for each in planned))


def step(observed: Observed) -> Verdict:
    """What the state of a snapshot means.

    Only ``readyToUse`` says that it is ready. ``status.error`` is the last error: it may go away
    by itself, so it is fatal at the deadline only.
    """
    found = observed.found
    if found is None:
        return Verdict(Action.FAIL, "somebody has deleted it")
    if found["metadata"].get("deletionTimestamp"):
        return Verdict(Action.FAIL, "somebody is deleting it")
    status = found.get("status") or {}
    if status.get("readyToUse"):
        return Verdict(Action.DONE)
    error = (status.get("error") or {}).get("message", "")
    note = error or observed.event
    hint = _HINT_ERROR if note else _HINT_NO_WORD
    if not status and observed.age >= _QUIET:
        note = note or "no controller has taken notice of it"
        hint = _HINT_NO_CONTROLLER
    if observed.age < observed.deadline:
        return Verdict(Action.WAIT, note)
    return Verdict(Action.FAIL, note or "it did not get ready, and nobody says why", hint)


def read_snapshots(cluster: Cluster, run: str) -> SnapshotSet:
    """The snapshots that were taken under an id, to make clones of.

    Raises `VolumeError` if there are none, or one is not ready.
    """
    found = cluster.list(SNAPSHOTS, labels=f"{RUN_LABEL}={names.label_value(run, 'run')}")
    found = [each for each in found if _ABOUT in (each["metadata"].get("annotations") or {})]
    if not found:
        raise VolumeError(
            f"there are no snapshots of run {run} in namespace {cluster.namespace}",
            hint="kalelite snapshots lists those that there are.",
        )
    problems = [
        Problem(f"snapshot {each['metadata']['name']}: {verdict.note or 'it is not ready'}")
        for each in found
        if (verdict := step(Observed(each, 0.0, 0.0))).action is not Action.DONE
    ]
    if problems:
        raise VolumeError.of(tuple(problems))
    about = json.loads(found[0]["metadata"]["annotations"][_ABOUT])
    snapshots = (snapshot for each in found for snapshot in _read(run, each))
    return SnapshotSet(
        run, tuple(sorted(snapshots, key=lambda each: each.volume.path)), **about["notebook"]
    )


def _read(run: str, found: Json) -> list[Snapshot]:
    about = json.loads(found["metadata"]["annotations"][_ABOUT])
    return [
        Snapshot(
            found["metadata"]["name"],
            run,
            MountedVolume(**{**mount["volume"], "modes": tuple(mount["volume"]["modes"])}),
            found["spec"].get("volumeSnapshotClassName"),
            found["status"].get("restoreSize") or "",
            mount["marked"],
        )
        for mount in about["mounts"]
    ]


def _mark(run: str, planned: Sequence[Snapshot]) -> frozenset[str]:
    """Mark the volumes and have everything written reach the disks; the paths that are marked."""
    paths = [each.volume.path for each in planned if not each.volume.read_only]
    marked = frozenset(path for path in paths if marker.write(path, run))
    os.sync()
    return marked


def _names(planned: Sequence[Snapshot]) -> list[str]:
    """The snapshots to make: one for each claim, however often it is mounted."""
    return list(dict.fromkeys(each.name for each in planned))


def _create(cluster: Cluster, name: str, taken: SnapshotSet, owner: Owner) -> Json:
    mounts = [each for each in taken.snapshots if each.name == name]
    first = mounts[0]
    about: dict[str, Any] = {
        "mounts": [{"volume": asdict(each.volume), "marked": each.marked} for each in mounts],
        "notebook": {
            "directory": taken.directory,
            "image": taken.image,
            "user": taken.user,
            "group": taken.group,
        },
    }
    spec: Json = {"source": {"persistentVolumeClaimName": first.volume.claim}}
    if first.snapshot_class:
        spec["volumeSnapshotClassName"] = first.snapshot_class
    body = {
        "metadata": {
            "name": name,
            "labels": labels_of(taken.run),
            "annotations": {_ABOUT: json.dumps(about, sort_keys=True)},
            "ownerReferences": [owner.reference()],
        },
        "spec": spec,
    }
    return cluster.create(
        SNAPSHOTS,
        body,
        mine=lambda found: (
            is_of_run(found, taken.run) and found["spec"]["source"] == spec["source"]
        ),
    )


def _claim_of(snapshot: Json) -> str:
    return str(snapshot["spec"]["source"]["persistentVolumeClaimName"])


_HINT_ERROR = "That is the storage driver's own message: its administrator can tell more."
_HINT_NO_WORD = (
    "Is the snapshot class the one of the volume's driver, and does the driver run?"
    " snapshot_timeout= gives slow storage more time."
)
_HINT_NO_CONTROLLER = "Does the snapshot controller run in this cluster?"
