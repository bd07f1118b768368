"""The object that owns what a run has in the cluster: with it, everything goes."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from kalelite.errors import KaleliteError, UsageError
from kalelite.frozen import frozen
from kalelite.humanize import size
from kalelite.plan import names
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ConflictError, NotFoundError, advise
from kalelite.volumes.provision import is_of_run
from kalelite.volumes.resources import CONFIG_MAPS, Json, labels_of

ROLE_LABEL = "kalelite.dev/role"
Role = Literal["run", "snapshots"]
"""What an owner stands for: a run, whose clones go with it, or snapshots, which stay for others."""

_LARGEST = 1024 * 1024
"""Bytes that a config map may hold, before they are encoded."""


@frozen
class Owner:
    """A config map that exists. ``run`` is the id that it was made for."""

    name: str
    uid: str
    run: str

    def reference(self) -> Json:
        """What makes another object of the namespace go when this one goes."""
        return {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }


def owner_name(run: str, role: Role = "run") -> str:
    """The name of a run's owner."""
    return f"kalelite-{names.slug(run)}" + ("-snapshots" if role == "snapshots" else "")


def create_owner(
    cluster: Cluster,
    run: str,
    *,
    role: Role = "run",
    files: Mapping[str, bytes] | None = None,
) -> Owner:
    """Make the owner of a run, which may carry files, such as the bundle of the code.

    Raises `UsageError` if a config map cannot hold that much, `ConflictError` if the run has an
    owner already; else as `Cluster.create`.
    """
    files = files or {}
    total = sum(map(len, files.values()))
    if total > _LARGEST:
        raise UsageError(
            f"a config map cannot hold {size(total)}; it holds {size(_LARGEST)}",
            hint="Keep large constants out of the script: read them from a file on a volume.",
        )
    attempt = uuid.uuid4().hex
    body: Json = {
        "metadata": {
            "name": owner_name(run, role),
            "labels": {**labels_of(run), ROLE_LABEL: role},
            "annotations": {_ATTEMPT: attempt},
        },
        "binaryData": {key: base64.b64encode(value).decode() for key, value in files.items()},
        "immutable": bool(files),
    }

    def mine(found: Json) -> bool:
        return bool((found["metadata"].get("annotations") or {}).get(_ATTEMPT) == attempt)

    made = cluster.create(CONFIG_MAPS, body, mine=mine)
    return Owner(made["metadata"]["name"], made["metadata"]["uid"], run)


def begin_owner(
    cluster: Cluster,
    run: str,
    role: Role,
    begun: list[Role],
    files: Mapping[str, bytes] | None = None,
) -> Owner:
    """As `create_owner`; it is ``begun`` from then on, even if the answer is lost.

    That of another run is not.
    """
    begun.append(role)
    try:
        return create_owner(cluster, run, role=role, files=files)
    except ConflictError:
        begun.remove(role)
        raise


@contextmanager
def all_or_nothing(cluster: Cluster, run: str) -> Iterator[list[Role]]:
    """Removes what the owners that are begun in the block own, if it does not succeed."""
    begun: list[Role] = []
    try:
        yield begun
    except BaseException as error:
        withdraw(cluster, run, begun, error)
        raise


def withdraw(cluster: Cluster, run: str, roles: Sequence[Role], error: BaseException) -> None:
    """Remove owners, for an error that made them useless or Ctrl-C.

    With the error goes the command that removes those that could not be.
    """
    left = [owner_name(run, role) for role in roles]
    try:
        for role in reversed(roles):
            owner = find_owner(cluster, run, role)
            if owner is not None:
                delete_owner(cluster, owner)
            left.remove(owner_name(run, role))
    except (KaleliteError, KeyboardInterrupt):  # Ctrl-C again
        command = f"kubectl -n {cluster.namespace} delete configmap {' '.join(left)}"
        advise(error, f"Not all could be removed: {command}")


def find_owner(cluster: Cluster, run: str, role: Role = "run") -> Owner | None:
    """The owner of a run, if it has one."""
    try:
        found = cluster.get(CONFIG_MAPS, owner_name(run, role))
    except NotFoundError:
        return None
    metadata = found["metadata"]
    return Owner(metadata["name"], metadata["uid"], run) if is_of_run(found, run) else None


def delete_owner(cluster: Cluster, owner: Owner) -> bool:
    """Have an owner and all that it owns deleted; False if it is gone already."""
    return cluster.delete(CONFIG_MAPS, owner.name, uid=owner.uid)


_ATTEMPT = "kalelite.dev/attempt"
"""Tells an owner that was made by this call, whose answer was lost, from that of another one."""
