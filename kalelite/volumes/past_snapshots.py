"""Snapshots that were taken earlier: listed, read for a run, and deleted."""

from __future__ import annotations

from dataclasses import replace

from kalelite.errors import Problem, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import NotFoundError, VolumeError
from kalelite.volumes.leftovers import Leftover, find_leftovers, remove_leftovers, seconds_of
from kalelite.volumes.provision import RUN_LABEL, STEP_LABEL
from kalelite.volumes.resources import OURS, SNAPSHOTS, Json, selector_of
from kalelite.volumes.snapshot_set import SnapshotSet, described, is_described


@frozen
class ClusterSnapshot:
    """A VolumeSnapshot of kalelite's.

    ``step`` is empty if it was taken before the run; ``time`` is in POSIX seconds; ``claim`` is
    what it is of; ``size`` is what a claim of it needs at least, empty if nobody says.
    """

    id: str
    namespace: str
    run: str
    step: str
    claim: str
    time: float
    size: str
    ready: bool


def list_snapshots(cluster: Cluster) -> list[ClusterSnapshot]:
    """All that kalelite has taken in the namespace, oldest first."""
    labels = ",".join(f"{key}={value}" for key, value in OURS.items())
    found = cluster.list(SNAPSHOTS, labels=labels)
    return sorted((_listed(each, cluster.namespace) for each in found), key=lambda each: each.time)


def read_snapshots(cluster: Cluster, name: str) -> SnapshotSet:
    """The snapshots to make clones of: those that were taken for a run, before it.

    ``name`` is the run's id, or the one of a snapshot that a step has taken: then that one stands
    in the place of the run's own one of the same volume.

    Raises `VolumeError` if there are none, or one is not ready.
    """
    one = _of_step(cluster, name)
    run = one["metadata"]["labels"].get(RUN_LABEL, "") if one else name
    found = cluster.list(SNAPSHOTS, labels=f"{selector_of(run)},!{STEP_LABEL}")
    found = [each for each in found if is_described(each)]
    if not found and one is None:
        raise VolumeError(
            f"there are no snapshots of run {name} in namespace {cluster.namespace}",
            hint=f"kalelite snapshots --namespace {cluster.namespace} lists all.",
        )
    problems = [
        Problem(f"snapshot {each['metadata']['name']} is not ready, or being deleted")
        for each in (*found, *([one] if one else ()))
        if not (each.get("status") or {}).get("readyToUse")
        or each["metadata"].get("deletionTimestamp")
    ]
    if problems:
        raise VolumeError.of(tuple(problems))
    if one is None:
        return described(run, found)
    later = described(run, [one])
    if not found:
        return later
    paths = {each.volume.path for each in later.snapshots}
    earlier = described(run, found)
    kept = tuple(each for each in earlier.snapshots if each.volume.path not in paths)
    snapshots = sorted((*kept, *later.snapshots), key=lambda each: each.volume.path)
    return replace(earlier, snapshots=tuple(snapshots))


def delete_snapshot(cluster: Cluster, name: str, *, now: float, deadline: float = 60.0) -> None:
    """Delete a snapshot, unless it is in use.

    Raises `UsageError` if a claim is still to be made of it, `VolumeError` if it does not go.
    """
    found = find_snapshot(cluster, name)
    uid = found["metadata"]["uid"]
    known = [each for each in find_leftovers(cluster, now, 0) if each.uid == uid]
    if known and known[0].kept:
        raise UsageError(f"snapshot {name} is in use: {known[0].kept}")
    each = Leftover(SNAPSHOTS, name, uid, "", 0.0)
    remove_leftovers(cluster, [each], deadline=deadline)


def find_snapshot(cluster: Cluster, name: str) -> Json:
    """The VolumeSnapshot of that name; raises `UsageError` if there is none."""
    try:
        return cluster.get(SNAPSHOTS, name)
    except NotFoundError:
        raise UsageError(
            f"there is no snapshot {name!r} in namespace {cluster.namespace}",
            hint=f"kalelite snapshots --namespace {cluster.namespace} lists all.",
        ) from None


def _of_step(cluster: Cluster, name: str) -> Json | None:
    """The snapshot of that name, if a step has taken it."""
    try:
        found = cluster.get(SNAPSHOTS, name)
    except NotFoundError:
        return None
    labels = found["metadata"].get("labels") or {}
    return found if STEP_LABEL in labels and is_described(found) else None


def _listed(found: Json, namespace: str) -> ClusterSnapshot:
    metadata, status = found["metadata"], found.get("status") or {}
    return ClusterSnapshot(
        metadata["name"],
        namespace,
        metadata["labels"].get(RUN_LABEL, ""),
        metadata["labels"].get(STEP_LABEL, ""),
        found["spec"]["source"].get("persistentVolumeClaimName", ""),
        seconds_of(status.get("creationTime") or metadata["creationTimestamp"]),
        status.get("restoreSize") or "",
        bool(status.get("readyToUse")) and not metadata.get("deletionTimestamp"),
    )
