"""Claims of a run, made by one of its pods, once.

It travels with the run's code and imports the standard library only, nothing of kalelite.

A claim belongs to the run's Workflow, so it goes when the run is deleted. Making it twice is
harmless: a retry finds the claim of its own run and takes it. `kalelite.volumes.clone` makes the
same claims from outside of the run.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

SNAPSHOT_GROUP = "snapshot.storage.k8s.io"
RUN_LABEL = "kalelite.dev/run"
STEP_LABEL = "kalelite.dev/step"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_PASSING = {429, 500, 502, 503, 504}
_DELAYS = (0.2, 1, 2, 4, 8, 15, 30)
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
    labels: dict[str, str] | None = None,
) -> Json:
    """A PersistentVolumeClaim: empty, or the clone of a VolumeSnapshot in the same namespace.

    It is labelled with the id of the ``run``, and deleted with its ``owner``, an entry of
    ``metadata.ownerReferences``; of no run it is the user's own. Without a
    storage class it is of the cluster's default class.
    """
    metadata: Json = {"name": name, "labels": labels or {}}
    if run:
        metadata["labels"] |= {"app.kubernetes.io/managed-by": "kalelite", RUN_LABEL: run}
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


def keeps_source(sent: Json, received: Json) -> bool:
    """Whether the server kept the snapshot; it drops one it does not like, for an empty volume."""
    return bool(
        (sent["spec"].get("dataSource") or {}) == (received["spec"].get("dataSource") or {})
    )


def is_of_run(claim: Json, run: str | None) -> bool:
    """Whether a claim was made for the run."""
    return bool((claim["metadata"].get("labels") or {}).get(RUN_LABEL) == run)


class PodApi:
    """The few calls that the step makes, with the pod's own service account."""

    def __init__(self) -> None:
        base = "https://{}:{}".format(
            os.environ.get("KUBERNETES_SERVICE_HOST", ""),
            os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
        )
        self.base = os.environ.get("KALELITE_API_SERVER", base)
        self.account = Path(os.environ.get("KALELITE_SERVICE_ACCOUNT", _ACCOUNT))
        self.namespace = (self.account / "namespace").read_text("utf-8").strip()
        authority = self.account / "ca.crt"
        self.context = (
            ssl.create_default_context(cafile=str(authority)) if authority.exists() else None
        )

    def call(
        self, method: str, path: str, body: Json | None = None, *, group: str = "api/v1"
    ) -> Json:
        """The JSON answer; `urllib.error.HTTPError` if the API server refuses.

        Made again for a minute while the server is busy, restarting or not to be reached.
        """
        for delay in _DELAYS:
            try:
                return self.once(method, path, body, group)
            except urllib.error.HTTPError as error:
                # A token that has expired was replaced in the file.
                if error.code not in _PASSING and not (error.code == 401 and delay < 1):
                    raise
                after = error.headers.get("Retry-After", "")
                time.sleep(min(max(delay, int(after) if after.isdecimal() else 0), 30))
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(delay)
        return self.once(method, path, body, group)

    def once(self, method: str, path: str, body: Json | None, group: str) -> Json:
        result: Json = json.loads(self._send(method, path, body, group))
        return result

    def text(self, path: str) -> str:
        """An answer that is no JSON, as it is; asked for once."""
        return self._send("GET", path, None, "api/v1").decode("utf-8", "replace")

    def _send(self, method: str, path: str, body: Json | None, group: str) -> bytes:
        request = urllib.request.Request(
            f"{self.base}/{group}/namespaces/{self.namespace}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": "Bearer " + (self.account / "token").read_text("utf-8").strip(),
                "Content-Type": "application/json",
                "Accept": "*/*",
            },
        )
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
            return bytes(answer.read())


def fail(message: str) -> NoReturn:
    """End the step with one sentence in its log."""
    sys.exit("prepare: " + message)


def owner_of(api: PodApi) -> Json | None:
    """The reference to this pod's Workflow, if the service account may look."""
    try:
        # KFP says it: the hostname is cut at 63 characters.
        name = os.environ.get("KFP_POD_NAME") or os.environ.get("HOSTNAME", "")
        pod = api.call("GET", "pods/" + name)
    except urllib.error.HTTPError as error:
        print(
            f"prepare: this pod cannot be read (HTTP {error.code}): the claim",
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


def create(api: PodApi, manifest: Json) -> Json:
    """Create the claim, or find the one that an earlier attempt of this run created."""
    try:
        return api.call("POST", "persistentvolumeclaims", manifest)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        if error.code != 409:
            fail(f"the API server refused the claim (HTTP {error.code}): {text[:2000]}")
    name = manifest["metadata"]["name"]
    found = api.call("GET", "persistentvolumeclaims/" + name)
    if not is_of_run(found, manifest["metadata"]["labels"].get(RUN_LABEL)):
        fail(f"there is already a claim named {name!r} that belongs to another run")
    if found["metadata"].get("deletionTimestamp"):
        fail(f"the claim {name!r} of this run is being deleted")
    return found
