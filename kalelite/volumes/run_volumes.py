"""The volumes that a run mounts: which there have to be, and what each is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.plan.options import quantity
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.resources import Json
from kalelite.volumes.snapshot_set import Snapshot, described, is_described


@frozen
class RunVolume:
    """A volume of a run.

    Attributes
    ----------
    claim
        Its PersistentVolumeClaim.
    path, sub_path, read_only
        Where and how every step mounts it.
    size, storage_class, modes
        Of the claim; without a class it is of the cluster's default class.
    snapshot
        What it is a clone of; None for an empty volume.
    source
        The notebook's claim that it stands for, or what it is for.
    workspace
        It stands for the volume that holds the folder one works in.
    mark
        The id that `kalelite.volumes.marker.verify` looks for in it; empty if it is not marked.
    """

    claim: str
    path: str
    size: str
    modes: tuple[str, ...]
    storage_class: str | None = None
    snapshot: str | None = None
    source: str = ""
    sub_path: str = ""
    read_only: bool = False
    workspace: bool = False
    mark: str = ""


def plan_clones(
    run: str,
    snapshots: Sequence[Snapshot],
    *,
    storage_class: str | None = None,
    access_mode: str | None = None,
) -> tuple[RunVolume, ...]:
    """The clones for a run, each at the notebook's own path.

    They have the class and the access modes of the volumes that they stand for, unless others are
    asked for, and are as large as those or as the snapshot needs.
    """
    return tuple(
        RunVolume(
            claim=_clone_name(run, each),
            path=each.volume.path,
            size=_larger(each.size, each.volume.size),
            modes=(access_mode,) if access_mode else each.volume.modes,
            storage_class=storage_class or each.volume.storage_class,
            snapshot=each.name,
            source=each.volume.claim,
            sub_path=each.volume.sub_path,
            read_only=each.volume.read_only,
            workspace=each.volume.workspace,
            mark=each.run if each.marked else "",
        )
        for each in snapshots
    )


def plan_marshal(
    run: str, *, size: str, path: str, access_mode: str, storage_class: str | None = None
) -> RunVolume:
    """An empty volume for the values of one run."""
    return RunVolume(
        claim=f"{names.slug(run)}-marshal",
        path=path,
        size=size,
        modes=(access_mode,),
        storage_class=storage_class,
        source="marshal volume",
    )


def plan_restored(found: Json, claim: str, *, storage_class: str | None = None) -> RunVolume:
    """A claim of the user's that is made of a VolumeSnapshot.

    Raises `UsageError` for a name that none can have, `VolumeError` if it cannot be made.
    """
    name = found["metadata"]["name"]
    if not (found.get("status") or {}).get("readyToUse"):
        raise VolumeError(f"snapshot {name} is not ready")
    own: str | None = None
    modes: tuple[str, ...] = ("ReadWriteOnce",)
    sizes = [found["status"].get("restoreSize") or ""]
    if is_described(found):
        volume = described("", [found]).snapshots[0].volume
        own, modes = volume.storage_class, volume.modes
        sizes.append(volume.size)
    if not any(sizes):
        raise VolumeError(f"nobody knows how large a claim of snapshot {name} has to be")
    return RunVolume(
        names.object_name(claim, "--claim"),
        "",
        _larger(*sizes),
        modes,
        storage_class or own,
        snapshot=name,
    )


def _clone_name(run: str, snapshot: Snapshot) -> str:
    """The name of a clone: short and without dots, as KFP names the pod's volume after it."""
    place = f"{run}\0{snapshot.volume.claim}\0{snapshot.volume.path}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return f"{names.slug(snapshot.volume.claim)}-clone-{digest}"


def _larger(*sizes: str) -> str:
    return max(filter(None, sizes), key=quantity.size_of)
