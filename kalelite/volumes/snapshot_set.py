"""Snapshots that belong together, and what is written on each for the runs that start from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.volumes.discover import MountedVolume
from kalelite.volumes.resources import Json, labels_of
from kalelite.volumes.step_snapshot import ABOUT


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


def is_described(found: Json) -> bool:
    """Whether a VolumeSnapshot carries what a run from it needs to know."""
    return ABOUT in (found["metadata"].get("annotations") or {})


def described(run: str, found: Sequence[Json]) -> SnapshotSet:
    """The set that these VolumeSnapshots are."""
    about = json.loads(found[0]["metadata"]["annotations"][ABOUT])
    snapshots = (snapshot for each in found for snapshot in _snapshots(run, each))
    return SnapshotSet(
        run, tuple(sorted(snapshots, key=lambda each: each.volume.path)), **about["notebook"]
    )


def manifest_of(name: str, taken: SnapshotSet, owner: Json) -> Json:
    """The VolumeSnapshot of that name; ``owner`` is an entry of ``metadata.ownerReferences``."""
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
    return {
        "metadata": {
            "name": name,
            "labels": labels_of(taken.run),
            "annotations": {ABOUT: json.dumps(about, sort_keys=True)},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _snapshots(run: str, found: Json) -> list[Snapshot]:
    about = json.loads(found["metadata"]["annotations"][ABOUT])
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
