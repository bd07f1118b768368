"""Every right in the cluster that kalelite uses, who has it, and the roles that would give it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Final

from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ApiError
from kalelite.volumes.resources import (
    CLAIMS,
    CONFIG_MAPS,
    EVENTS,
    LIMIT_RANGES,
    NODES,
    POD_LOGS,
    POD_PROXIES,
    PODS,
    QUOTAS,
    SELF_REVIEWS,
    SNAPSHOT_CLASSES,
    SNAPSHOTS,
    STORAGE_CLASSES,
    WORKFLOWS,
    Json,
    Resource,
)

_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT = "system:serviceaccount:"


@frozen
class Purpose:
    """What rights are used for. Without ``needed`` ones it cannot be done at all.

    ``deed`` is what may be done with them, or what is lost without those that are not needed.
    """

    deed: str
    verbs: tuple[tuple[Resource, tuple[str, ...]], ...]
    needed: bool = True


TAKE: Final = Purpose(
    "take snapshots, list and restore them",
    (
        (SNAPSHOTS, ("create", "get", "list", "delete")),
        (CONFIG_MAPS, ("create", "get", "delete")),
    ),
)
CLONE: Final = Purpose("make the volumes of a run", ((CLAIMS, ("create", "get", "delete")),))
USES: Final = (
    Purpose("find the volumes of a notebook", ((PODS, ("get",)), (CLAIMS, ("get",)))),
    TAKE,
    CLONE,
    Purpose(
        "remove what is left: clean",
        (
            (PODS, ("list", "delete")),
            (CLAIMS, ("list", "get", "delete")),
            (CONFIG_MAPS, ("list", "get", "delete")),
            (SNAPSHOTS, ("list", "get", "delete")),
        ),
    ),
    Purpose("say why a volume is not ready", ((EVENTS, ("list",)),), needed=False),
    Purpose(
        "check quotas before anything is made",
        ((QUOTAS, ("list",)), (LIMIT_RANGES, ("list",))),
        needed=False,
    ),
    Purpose(
        "check classes and nodes before anything is made",
        ((STORAGE_CLASSES, ("list",)), (SNAPSHOT_CLASSES, ("list",)), (NODES, ("list",))),
        needed=False,
    ),
    Purpose(
        "let a run's volumes go with the run on Kubeflow",
        ((WORKFLOWS, ("list",)), (CONFIG_MAPS, ("patch",))),
        needed=False,
    ),
    Purpose(
        "say why a step on Kubeflow has failed",
        ((WORKFLOWS, ("list",)), (PODS, ("get",)), (POD_LOGS, ("get",)), (EVENTS, ("list",))),
        needed=False,
    ),
    Purpose(
        "bring values from a run's volume: get --fetch",
        ((PODS, ("create", "get", "delete")), (POD_PROXIES, ("get",))),
        needed=False,
    ),
)
"""All of it. A call that needs a right which is not here fails for whoever has the printed role."""


@frozen
class Answered:
    """A use, and those of its rights that are missing."""

    use: Purpose
    missing: tuple[tuple[Resource, str], ...]


def ask(cluster: Cluster) -> tuple[Answered, ...]:
    """What these credentials may do; each right is asked for once, and nothing is changed."""
    known: dict[tuple[Resource, str], bool] = {}
    for resource, verb in (right for use in USES for right in _rights(use)):
        if (resource, verb) not in known:
            known[resource, verb] = cluster.may(verb, resource)
    return tuple(
        Answered(use, tuple(right for right in _rights(use) if not known[right])) for use in USES
    )


def _rights(use: Purpose) -> Iterator[tuple[Resource, str]]:
    return ((resource, verb) for resource, verbs in use.verbs for verb in verbs)


def user_of(cluster: Cluster) -> str:
    """Whose credentials these are; that of a notebook in Kubeflow where the server is too old."""
    try:
        review = cluster.create(SELF_REVIEWS, {})
    except ApiError:
        return f"{_ACCOUNT}{cluster.namespace}:default-editor"
    return str(review["status"]["userInfo"]["username"])


def roles(answered: Sequence[Answered], namespace: str, user: str) -> list[Json]:
    """The Role and the ClusterRole with what is missing, and their bindings to a user.

    They are named after what they hold, so that a later one takes nothing away from an earlier.
    """
    missing = {right for each in answered for right in each.missing}
    made: list[Json] = []
    for kind, inside in (("Role", True), ("ClusterRole", False)):
        rules = _rules({right for right in missing if right[0].namespaced is inside})
        if rules:
            made += _granted(kind, rules, namespace if inside else "", user)
    return made


def _rules(rights: set[tuple[Resource, str]]) -> list[Json]:
    """One rule for each kind of object."""
    kinds = sorted({resource for resource, _ in rights}, key=lambda each: each.full_name)
    return [
        {
            "apiGroups": [kind.group],
            "resources": [kind.plural],
            "verbs": sorted(verb for resource, verb in rights if resource == kind),
        }
        for kind in kinds
    ]


def _granted(kind: str, rules: list[Json], namespace: str, user: str) -> list[Json]:
    digest = hashlib.sha256(json.dumps([rules, namespace, user]).encode()).hexdigest()[:8]
    metadata = {"name": f"kalelite-{digest}", **({"namespace": namespace} if namespace else {})}
    return [
        {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": dict(metadata),
            "subjects": [_subject(user)],
            "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]},
        },
    ]


def _subject(user: str) -> Json:
    if user.startswith(_ACCOUNT):
        namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"kind": "User", "name": user, "apiGroup": _RBAC}
