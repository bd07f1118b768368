"""The claims of a run: clones of snapshots, and the volume that its values pass through.

Made from outside of the run, by whoever may; `kalelite.volumes.provision` makes the same inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.plan.options import quantity
from kalelite.volumes._client import Cluster
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.owner import Owner
from kalelite.volumes.provision import claim_manifest, is_of_run, keeps_source
from kalelite.volumes.resources import CLAIMS, Json
from kalelite.volumes.snapshot import Snapshot
from kalelite.volumes.waiting import (
    DEADLINE,
    Action,
    Awaited,
    Observed,
    Report,
    Verdict,
    wait_all,
)


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


def make_volumes(
    cluster: Cluster,
    planned: Sequence[RunVolume],
    owner: Owner,
    *,
    late: Collection[str] = (),
    deadline: float = DEADLINE,
    report: Report = lambda _: None,
) -> None:
    """Make the claims, and wait for each that is bound before a pod uses it.

    ``late`` are the storage classes that wait for the first pod (WaitForFirstConsumer).

    Raises `VolumeError` if one is not bound at the deadline, or the cluster drops the snapshot
    from it; what else is refused is raised as `Cluster.create` does.
    """
    made = [(each, _create(cluster, each, owner)) for each in planned]
    awaited = [
        Awaited(CLAIMS, claim["metadata"]["name"], claim["metadata"]["uid"], each.source)
        for each, claim in made
        if claim["spec"].get("storageClassName") not in late
    ]
    wait_all(cluster, awaited, step, deadline=deadline, report=report)


def step(observed: Observed) -> Verdict:
    """What the state of a claim means; one that waits for its first pod is as good as bound."""
    found = observed.found
    if found is None:
        return Verdict(Action.FAIL, "somebody has deleted it")
    if found["metadata"].get("deletionTimestamp"):
        return Verdict(Action.FAIL, "somebody is deleting it")
    phase = (found.get("status") or {}).get("phase", "Pending")
    if phase == "Bound" or observed.event.startswith("WaitForFirstConsumer"):
        return Verdict(Action.DONE)
    if phase == "Lost":
        return Verdict(Action.FAIL, "its volume is lost")
    if observed.age < observed.deadline:
        return Verdict(Action.WAIT, observed.event)
    note = observed.event or "it did not get bound, and nobody says why"
    return Verdict(Action.FAIL, note, _HINT)


def _create(cluster: Cluster, planned: RunVolume, owner: Owner) -> Json:
    manifest = claim_manifest(
        planned.claim,
        size=planned.size,
        modes=list(planned.modes),
        storage_class=planned.storage_class,
        snapshot=planned.snapshot,
        run=owner.run,
        owner=owner.reference(),
    )
    received = cluster.create(CLAIMS, manifest, mine=lambda found: is_of_run(found, owner.run))
    if not keeps_source(manifest, received):
        cluster.delete(CLAIMS, planned.claim, uid=received["metadata"]["uid"])
        raise VolumeError(
            f"the cluster dropped the snapshot {planned.snapshot} from the claim {planned.claim};"
            " an empty volume would have taken the place of the clone",
            hint="Does this cluster support CSI snapshots as the source of volumes?",
        )
    return received


def _clone_name(run: str, snapshot: Snapshot) -> str:
    """The name of a clone: short and without dots, as KFP names the pod's volume after it."""
    place = f"{run}\0{snapshot.volume.claim}\0{snapshot.volume.path}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return f"{names.slug(snapshot.volume.claim)}-clone-{digest}"


def _larger(*sizes: str) -> str:
    return max(filter(None, sizes), key=quantity.size_of)


_HINT = "Is there room, and does the storage class support clones of its snapshots?"
