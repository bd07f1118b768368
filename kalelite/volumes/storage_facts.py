"""What a cluster says about its storage, as far as it may be read; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ForbiddenError, MissingApiError
from kalelite.volumes.resources import (
    LIMIT_RANGES,
    NODES,
    QUOTAS,
    SNAPSHOT_CLASSES,
    STORAGE_CLASSES,
    Json,
    Resource,
)
from kalelite.volumes.rights import CLONE, TAKE

NEEDED: Final[Mapping[Resource, tuple[str, ...]]] = dict((*TAKE.verbs, *CLONE.verbs))
"""The rights, in the namespace, of whoever takes snapshots and makes clones of them."""

_DEFAULT_SNAPSHOT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


@frozen
class StorageClass:
    """A class of volumes. ``late``: volumes are made for the first pod, where that pod runs."""

    name: str
    driver: str
    late: bool = False
    retain: bool = False
    default: bool = False


@frozen
class SnapshotClass:
    """A class of snapshots, of one driver."""

    name: str
    driver: str
    retain: bool = False
    default: bool = False


@frozen
class Facts:
    """What is known about a cluster; None is what may not be read.

    ``has_snapshots`` is whether it knows VolumeSnapshots at all. ``nodes`` counts those that take
    pods. ``missing`` are rights that these credentials do not have: a kind and the verbs.
    """

    storage_classes: Mapping[str, StorageClass] | None = None
    snapshot_classes: tuple[SnapshotClass, ...] | None = None
    has_snapshots: bool = True
    nodes: int | None = None
    quotas: tuple[Json, ...] = ()
    limit_ranges: tuple[Json, ...] = ()
    missing: Mapping[Resource, tuple[str, ...]] = field(default_factory=dict)

    def default_class(self) -> StorageClass | None:
        """The class of claims that name none."""
        return next((each for each in (self.storage_classes or {}).values() if each.default), None)


def gather(cluster: Cluster) -> Facts:
    """Ask a cluster for all that decides whether snapshots and clones can be made."""
    storage_classes = _list(cluster, STORAGE_CLASSES)
    has_snapshots = True
    try:
        snapshot_classes = _list(cluster, SNAPSHOT_CLASSES)
    except MissingApiError:
        has_snapshots, snapshot_classes = False, []
    nodes = _list(cluster, NODES)
    denied = {
        resource: tuple(verb for verb in verbs if not cluster.may(verb, resource))
        for resource, verbs in NEEDED.items()
    }
    return Facts(
        storage_classes=None
        if storage_classes is None
        else {each.name: each for each in map(_storage_class, storage_classes)},
        snapshot_classes=None
        if snapshot_classes is None
        else tuple(map(_snapshot_class, snapshot_classes)),
        has_snapshots=has_snapshots,
        nodes=None if nodes is None else sum(map(_takes_pods, nodes)),
        quotas=tuple(_list(cluster, QUOTAS) or ()),
        limit_ranges=tuple(_list(cluster, LIMIT_RANGES) or ()),
        missing={resource: verbs for resource, verbs in denied.items() if verbs},
    )


def _list(cluster: Cluster, resource: Resource) -> Sequence[Json] | None:
    try:
        return cluster.list(resource)
    except ForbiddenError:
        return None


def _storage_class(found: Json) -> StorageClass:
    return StorageClass(
        found["metadata"]["name"],
        found["provisioner"],
        late=found.get("volumeBindingMode") == "WaitForFirstConsumer",
        retain=found.get("reclaimPolicy") == "Retain",
        default=_is_marked(found, _DEFAULT_CLASS),
    )


def _snapshot_class(found: Json) -> SnapshotClass:
    return SnapshotClass(
        found["metadata"]["name"],
        found["driver"],
        retain=found.get("deletionPolicy") == "Retain",
        default=_is_marked(found, _DEFAULT_SNAPSHOT_CLASS),
    )


def _is_marked(found: Json, annotation: str) -> bool:
    return (found["metadata"].get("annotations") or {}).get(annotation) == "true"


def _takes_pods(node: Json) -> bool:
    spec = node.get("spec") or {}
    taints = {taint.get("effect") for taint in spec.get("taints") or ()}
    return not spec.get("unschedulable") and not taints & {"NoSchedule", "NoExecute"}
