"""Snapshots that were taken earlier."""

from __future__ import annotations

from kalelite.errors import Problem
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.provision import RUN_LABEL
from kalelite.volumes.resources import SNAPSHOTS, selector_of
from kalelite.volumes.snapshot_set import SnapshotSet, described, is_described


def read_snapshots(cluster: Cluster, run: str) -> SnapshotSet:
    """The snapshots that were taken under an id, to make clones of.

    Raises `VolumeError` if there are none, or one is not ready.
    """
    found = cluster.list(SNAPSHOTS, labels=selector_of(run))
    found = [each for each in found if is_described(each)]
    if not found:
        raise VolumeError(
            f"there are no snapshots of run {run} in namespace {cluster.namespace}",
            hint=f"kubectl -n {cluster.namespace} get volumesnapshots -L {RUN_LABEL} lists all.",
        )
    problems = [
        Problem(f"snapshot {each['metadata']['name']} is not ready, or being deleted")
        for each in found
        if not (each.get("status") or {}).get("readyToUse")
        or each["metadata"].get("deletionTimestamp")
    ]
    if problems:
        raise VolumeError.of(tuple(problems))
    return described(run, found)
