"""The volumes of runs that recur: clones, each time, of snapshots that are taken once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.submit.run_claim import wishes_of
from kalelite.backends.kubeflow.submit.volume_source import check_mounts, clones_of, volume_source
from kalelite.volumes.owner import delete_owner, find_owner
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import CONFIG_MAPS, SCHEDULES
from kalelite.volumes.run_volumes import plan_clones
from kalelite.volumes.snapshot_set import SnapshotSet

if TYPE_CHECKING:
    from kalelite.volumes.cluster import Cluster


def with_snapshots(
    cluster: Cluster,
    id: str,
    settings: Settings,
    note: Callable[[str], None],
    *,
    snapshot: str = "",
    fresh: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings of runs that clone a notebook's volumes as they are now, or as in a snapshot.

    ``fresh``: each run takes snapshots of them when it starts, and nothing is made now. The settings
    as they were where this is no notebook of the cluster. Raises `ClusterError`; then nothing is left.
    """
    wishes = wishes_of(settings)
    source, mounted = volume_source(cluster, snapshot, environ, note)
    check_mounts(mounted, settings.kfp_version, note)
    if source is None or not mounted:
        return settings
    taken = source
    if not isinstance(taken, SnapshotSet):
        marshal = not settings.carries and (settings.marshal_volume or True)
        now = replace(wishes, clones=False, later=fresh, marshal_volume=marshal)
        taken = prepare_volumes(cluster, id, taken, now, note=note).snapshots
    planned = plan_clones(
        id, taken.snapshots, storage_class=settings.storage_class, access_mode=wishes.access_mode
    )
    clones = clones_of(planned, made=False)
    if fresh:
        clones = tuple(
            replace(clone, snapshot="", snapshot_class=each.snapshot_class)
            for clone, each in zip(clones, taken.snapshots, strict=True)
        )
    return replace(
        settings,
        clones=clones,
        image=settings.image or taken.image,
        run_as_user=taken.user if settings.run_as_user is None else settings.run_as_user,
        run_as_group=taken.group if settings.run_as_group is None else settings.run_as_group,
    )


def let_go_with(cluster: Cluster, id: str, recurring: str) -> None:
    """Let what was taken under an id go when KFP removes the recurring run of that uid.

    Until then `kalelite clean` leaves it. Raises `ClusterError`.
    """
    owner = find_owner(cluster, id, "snapshots")
    found = [one for one in cluster.list(SCHEDULES) if one["metadata"]["uid"] == recurring]
    if owner is None or not found:
        return
    reference = {
        "apiVersion": SCHEDULES.api_version,
        "kind": SCHEDULES.kind,
        "name": found[0]["metadata"]["name"],
        "uid": recurring,
        "controller": False,
        "blockOwnerDeletion": False,
    }
    cluster.patch(CONFIG_MAPS, owner.name, {"metadata": {"ownerReferences": [reference]}})


def remove_snapshots(cluster: Cluster, id: str) -> None:
    """Remove what `with_snapshots` has taken under an id, if anything."""
    owner = find_owner(cluster, id, "snapshots")
    if owner is not None:
        delete_owner(cluster, owner)
