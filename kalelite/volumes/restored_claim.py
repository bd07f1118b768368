"""A claim that is made of a snapshot, for people."""

from __future__ import annotations

import uuid

from kalelite.plan.names import object_name
from kalelite.plan.options import quantity
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.past_snapshots import find_snapshot
from kalelite.volumes.provision import claim_manifest, keeps_source
from kalelite.volumes.resources import CLAIMS, Json
from kalelite.volumes.snapshot_set import described, is_described

_ATTEMPT = "kalelite.dev/attempt"


def restore_snapshot(
    cluster: Cluster, name: str, claim: str, *, storage_class: str | None = None
) -> None:
    """Make a claim of a snapshot, like the one that it was taken of; it belongs to the user.

    Raises `UsageError` for a name that none can have, `VolumeError` if it cannot be, `ConflictError` if there is a claim of that name.
    """
    object_name(claim, "--claim")
    found = find_snapshot(cluster, name)
    if not (found.get("status") or {}).get("readyToUse"):
        raise VolumeError(f"snapshot {name} is not ready")
    if is_described(found):
        volume = described("", [found]).snapshots[0].volume
        own, modes, size = volume.storage_class, volume.modes, volume.size
    else:
        own, modes, size = None, ("ReadWriteOnce",), ""
    sizes = [each for each in (size, found["status"].get("restoreSize") or "") if each]
    if not sizes:
        raise VolumeError(f"nobody knows how large a claim of snapshot {name} has to be")
    attempt = uuid.uuid4().hex
    manifest = claim_manifest(
        claim,
        size=max(sizes, key=quantity.size_of),
        modes=list(modes),
        storage_class=storage_class or own,
        snapshot=name,
        annotations={_ATTEMPT: attempt},
    )
    del manifest["metadata"]["labels"]  # clean leaves it alone

    def mine(there: Json) -> bool:
        return bool((there["metadata"].get("annotations") or {}).get(_ATTEMPT) == attempt)

    received = cluster.create(CLAIMS, manifest, mine=mine)
    if not keeps_source(manifest, received):
        cluster.delete(CLAIMS, claim, uid=received["metadata"]["uid"])
        raise VolumeError(f"the cluster dropped the snapshot {name} from the claim {claim}")
