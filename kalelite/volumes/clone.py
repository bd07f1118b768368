"""The claims of a run, clones of snapshots and the volume that its values pass through; and of people.

Made from outside of the run, by whoever may; `kalelite.volumes.provision` makes the same inside.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from functools import partial

from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ApiError, VolumeError, advise
from kalelite.volumes.owner import Owner
from kalelite.volumes.provision import claim_manifest, is_of_run, keeps_source
from kalelite.volumes.resources import CLAIMS, SNAPSHOTS, Json
from kalelite.volumes.run_volumes import RunVolume, plan_restored
from kalelite.volumes.waiting import (
    DEADLINE,
    Action,
    Awaited,
    Observed,
    Report,
    Verdict,
    wait_all,
    why_lost,
)

_SILENCE = 15.0
"""Seconds without any event after which a claim of an unknown class seems to wait for a pod."""


def make_volumes(
    cluster: Cluster,
    planned: Sequence[RunVolume],
    owner: Owner,
    *,
    late: Collection[str] | None = (),
    deadline: float = DEADLINE,
    report: Report = lambda _: None,
) -> None:
    """Make the claims, and wait for each that is bound before a pod uses it.

    ``late`` are the storage classes that wait for the first pod (WaitForFirstConsumer), None if
    they may not be read: then a claim of which nothing is heard for a while is left to its pod.

    Raises `VolumeError` if one is not bound at the deadline, or the cluster drops the snapshot
    from it; what else is refused is raised as `Cluster.create` does.
    """
    reference = owner.reference()

    def mine(found: Json) -> bool:
        return is_of_run(found, owner.run)

    made = [
        (each, _make(cluster, each, mine=mine, run=owner.run, owner=reference)) for each in planned
    ]
    awaited = [
        Awaited(CLAIMS, claim["metadata"]["name"], claim["metadata"]["uid"], each.source)
        for each, claim in made
        if claim["spec"].get("storageClassName") not in (late or ())
    ]
    known = late is not None
    wait_all(cluster, awaited, partial(step, known=known), deadline=deadline, report=report)


def step(observed: Observed, *, known: bool = True) -> Verdict:
    """What the state of a claim means; one that waits for its first pod is as good as bound.

    ``known`` is whether those that wait for it were left out already.
    """
    found = observed.found
    lost = why_lost(found)
    if found is None or lost:
        return Verdict(Action.FAIL, lost)
    phase = (found.get("status") or {}).get("phase", "Pending")
    if phase == "Bound" or observed.event.startswith("WaitForFirstConsumer"):
        return Verdict(Action.DONE)
    if not known and not observed.event and observed.age >= _SILENCE:
        return Verdict(Action.DONE, "it seems to wait for its first pod")
    if observed.age < observed.deadline:
        return Verdict(Action.WAIT, observed.event)
    note = observed.event or "it did not get bound, and nobody says why"
    return Verdict(Action.FAIL, note, _HINT)


def restore_snapshot(
    cluster: Cluster, name: str, claim: str, *, storage_class: str | None = None
) -> None:
    """Make a claim of a snapshot, like the one that it was taken of; it belongs to the user.

    Raises `UsageError` for a name that none can have, `VolumeError` if it cannot be,
    `ConflictError` if there is a claim of that name. What else ends it, such as Ctrl-C, has the
    claim removed, or tells the command that does.
    """
    found = cluster.get(SNAPSHOTS, name)
    planned = plan_restored(found, claim, storage_class=storage_class)
    attempt = uuid.uuid4().hex

    def mine(there: Json) -> bool:
        return bool((there["metadata"].get("labels") or {}).get(_ATTEMPT) == attempt)

    try:
        _make(cluster, planned, mine=mine, labels={_ATTEMPT: attempt})
    except (ApiError, VolumeError):  # it was not made
        raise
    except BaseException as error:
        if not _removed(cluster, claim, mine):
            command = f"kubectl -n {cluster.namespace} delete pvc -l {_ATTEMPT}={attempt}"
            advise(error, f"The claim may be made all the same; this removes it: {command}")
        raise


def _make(
    cluster: Cluster,
    planned: RunVolume,
    *,
    mine: Callable[[Json], bool],
    run: str | None = None,
    owner: Json | None = None,
    labels: dict[str, str] | None = None,
) -> Json:
    """Make one claim, as `claim_manifest` writes it; ``mine`` knows it again.

    Raises `VolumeError` if the cluster drops the snapshot from it; then it is removed.
    """
    manifest = claim_manifest(
        planned.claim,
        size=planned.size,
        modes=list(planned.modes),
        storage_class=planned.storage_class,
        snapshot=planned.snapshot,
        run=run,
        owner=owner,
        labels=labels,
    )
    received = cluster.create(CLAIMS, manifest, mine=mine)
    if not keeps_source(manifest, received):
        cluster.delete(CLAIMS, planned.claim, uid=received["metadata"]["uid"])
        raise VolumeError(
            f"the cluster dropped the snapshot {planned.snapshot} from the claim {planned.claim};"
            " an empty volume would have taken the place of the clone",
            hint="Does this cluster support CSI snapshots as the source of volumes?",
        )
    return received


def _removed(cluster: Cluster, claim: str, mine: Callable[[Json], bool]) -> bool:
    """Whether the claim was there, and goes."""
    try:
        found = cluster.get(CLAIMS, claim)
        return mine(found) and cluster.delete(CLAIMS, claim, uid=found["metadata"]["uid"])
    except (ClusterError, KeyboardInterrupt):
        return False


_HINT = "Is there room, and does the storage class support clones of its snapshots?"
_ATTEMPT = "kalelite.dev/attempt"
