"""The program of a create-volume step: it makes one claim for the run, once.

It travels as text in the step's arguments, because there is no volume yet that could hold code.
So it imports the standard library only, nothing of kalelite, and runs on any Python from 3.10.

The claim belongs to the run's Workflow, so it goes when the run is deleted. Making it twice is
harmless: a retry finds the claim of its own run and takes it.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

SNAPSHOT_GROUP = "snapshot.storage.k8s.io"
RUN_LABEL = "kalelite.dev/run"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
Json = dict[str, Any]


def claim_manifest(
    name: str,
    *,
    size: str,
    modes: list[str],
    storage_class: str | None = None,
    snapshot: str | None = None,
    run: str | None = None,
    owner: Json | None = None,
) -> Json:
    """A PersistentVolumeClaim: empty, or the clone of a VolumeSnapshot in the same namespace.

    It is labelled with the id of the ``run``, and deleted with its ``owner``, an entry of
    ``metadata.ownerReferences``. Without a storage class it is of the cluster's default class.
    """
    metadata: Json = {"name": name, "labels": {"app.kubernetes.io/managed-by": "kalelite"}}
    if run:
        metadata["labels"][RUN_LABEL] = run
    if owner:
        metadata["ownerReferences"] = [owner]
    spec: Json = {"accessModes": list(modes), "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if snapshot:
        # The group stands alone: with a version in it the API server drops the source silently.
        spec["dataSource"] = {
            "apiGroup": SNAPSHOT_GROUP,
            "kind": "VolumeSnapshot",
            "name": snapshot,
        }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }


class Cluster:
    """The few calls that the step makes, with the pod's own service account."""

    def __init__(self) -> None:
        base = "https://{}:{}".format(
            os.environ.get("KUBERNETES_SERVICE_HOST", ""),
            os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
        )
        self.base = os.environ.get("KALELITE_API_SERVER", base)
        account = Path(os.environ.get("KALELITE_SERVICE_ACCOUNT", _ACCOUNT))
        self.token = (account / "token").read_text("utf-8").strip()
        self.namespace = (account / "namespace").read_text("utf-8").strip()
        authority = account / "ca.crt"
        self.context = (
            ssl.create_default_context(cafile=str(authority)) if authority.exists() else None
        )

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The JSON answer; `urllib.error.HTTPError` if the API server refuses."""
        request = urllib.request.Request(
            f"{self.base}/api/v1/namespaces/{self.namespace}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": "Bearer " + self.token,
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
            result: Json = json.load(answer)
            return result


def fail(message: str) -> NoReturn:
    """End the step with one sentence in its log."""
    sys.exit("create-volume: " + message)


def owner_of(cluster: Cluster) -> Json | None:
    """The reference to this pod's Workflow, if the service account may look."""
    try:
        pod = cluster.call("GET", "pods/" + os.environ.get("HOSTNAME", ""))
    except urllib.error.HTTPError as error:
        print(
            f"create-volume: this pod cannot be read (HTTP {error.code}): the claim",
            "will not be deleted with the run; 'kalelite clean' removes it",
        )
        return None
    for owner in pod["metadata"].get("ownerReferences", []):
        if owner["kind"] == "Workflow":
            keys = ("apiVersion", "kind", "name", "uid")
            return {key: owner[key] for key in keys} | {
                "blockOwnerDeletion": False,
                "controller": False,
            }
    return None


def create(cluster: Cluster, manifest: Json) -> Json:
    """Create the claim, or find the one that an earlier attempt of this run created."""
    try:
        return cluster.call("POST", "persistentvolumeclaims", manifest)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        if error.code != 409:
            fail(f"the API server refused the claim (HTTP {error.code}): {text[:2000]}")
    name = manifest["metadata"]["name"]
    found = cluster.call("GET", "persistentvolumeclaims/" + name)
    mine = manifest["metadata"]["labels"].get(RUN_LABEL)
    if found["metadata"].get("labels", {}).get(RUN_LABEL) != mine:
        fail(f"there is already a claim named {name!r} that belongs to another run")
    if found["metadata"].get("deletionTimestamp"):
        fail(f"the claim {name!r} of this run is being deleted")
    return found


def main(argv: list[str] | None = None) -> None:
    """Create the claim that the arguments describe, and write its name to ``--output``."""
    parser = argparse.ArgumentParser(prog="create-volume")
    for flag in ("--name", "--size", "--run", "--output"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--suffix", default="")
    parser.add_argument("--mode", action="append", required=True)
    parser.add_argument("--storage-class")
    parser.add_argument("--snapshot")
    given = parser.parse_args(argv)
    cluster = Cluster()
    manifest = claim_manifest(
        given.name + given.suffix,
        size=given.size,
        modes=given.mode,
        storage_class=given.storage_class,
        snapshot=given.snapshot,
        run=given.run,
        owner=owner_of(cluster),
    )
    received = create(cluster, manifest)
    name = received["metadata"]["name"]
    if (manifest["spec"].get("dataSource") or {}) != (received["spec"].get("dataSource") or {}):
        # It would leave an empty volume.
        cluster.call("DELETE", "persistentvolumeclaims/" + name)
        fail(
            f"the cluster dropped the snapshot {given.snapshot!r} from the claim; an empty volume "
            "would have taken its place"
        )
    output = Path(given.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(name, "utf-8")
    print(f"create-volume: {name} of {given.size}")


if __name__ == "__main__":
    main()
