"""A VolumeSnapshot that a step of a run takes, from inside its pod.

It travels with the run's code and imports the standard library only. It needs of the service
account: to read pods and claims, and to create and read VolumeSnapshots.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import ClusterError
from kalelite.volumes.provision import RUN_LABEL, SNAPSHOT_GROUP, STEP_LABEL, PodApi
from kalelite.volumes.workspace import named_folder

ABOUT = "kalelite.dev/about"
"""The annotation with what a run from a snapshot needs to know, as JSON."""
POD = "KFP_POD_NAME"
"""The variable with the name of the pod of a step of Kubeflow Pipelines; elsewhere it is not set."""

_GROUP = f"apis/{SNAPSHOT_GROUP}/v1"
_DEADLINE = 600.0
_PAUSE = 0.5
Json = dict[str, Any]


def take_of_volume(
    volume: str,
    snapshot_class: str | None = None,
    *,
    run: str,
    step: str,
    deadline: float = _DEADLINE,
) -> str:
    """Take a snapshot of the volume that holds a folder, and wait until it is ready.

    ``volume`` is the folder's path, or ``"workspace"`` for the one that steps start in. Without a
    ``snapshot_class`` it is that of the snapshot that the volume is a clone of, or the default one.

    A retry of the step finds the one that was taken before. Returns its name.

    Raises `ClusterError`: the folder is on no claim, a right is missing, or the snapshot is not
    ready after ``deadline`` seconds.
    """
    folder = Path.cwd() if volume == "workspace" else named_folder(volume)
    api = PodApi()
    pod = _asked(api, "pods/" + os.environ[POD])
    mount, claim = _mount_of(pod, folder)
    found = _asked(api, f"persistentvolumeclaims/{claim}")
    os.sync()
    body = _manifest(pod, mount, found, folder, run, step)
    chosen = snapshot_class or _class_of_source(api, found)
    if chosen:
        body["spec"]["volumeSnapshotClassName"] = chosen
    name = str(body["metadata"]["name"])
    _wait(api, _begin(api, body), claim, deadline)
    print(f"snapshot {name} of claim {claim}, which holds {folder}")
    return name


def take_of_claims(
    api: PodApi,
    names: Mapping[str, str],
    classes: Mapping[str, str | None],
    *,
    run: str,
    owner: Json | None,
) -> dict[str, str]:
    """Take snapshots of claims at one moment, and wait until all are ready; the claims' sizes.

    ``names`` and ``classes`` are those of the snapshots, by claim. A retry finds those that were
    taken before; they go with their ``owner``. Raises `ClusterError`.
    """
    found = {claim: _asked(api, f"persistentvolumeclaims/{claim}") for claim in names}
    begun: dict[str, Json] = {}
    for claim, name in names.items():
        labels = {"app.kubernetes.io/managed-by": "kalelite", RUN_LABEL: run}
        metadata: Json = {"name": name, "labels": labels}
        if owner:
            metadata["ownerReferences"] = [owner]
        begun[claim] = _begin(api, _snapshot(metadata, claim, classes[claim]))
    for claim, made in begun.items():
        _wait(api, made, claim, _DEADLINE)
        print(f"prepare: snapshot {names[claim]} of {claim}", flush=True)
    return {claim: _size(one) for claim, one in found.items()}


def _size(claim: Json) -> str:
    capacity = (claim.get("status") or {}).get("capacity") or {}
    return str(capacity.get("storage") or claim["spec"]["resources"]["requests"]["storage"])


def _begin(api: PodApi, body: Json) -> Json:
    """Make a snapshot, or find the one that an earlier attempt of this run has made."""
    name, source = body["metadata"]["name"], body["spec"]["source"]
    try:
        return api.call("POST", "volumesnapshots", body, group=_GROUP)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            claim = source["persistentVolumeClaimName"]
            raise _refused(error, f"create the snapshot of claim {claim}") from error
        made = _asked(api, f"volumesnapshots/{name}", _GROUP)
        if made["metadata"].get("labels") != body["metadata"]["labels"]:
            raise ClusterError(f"there is a snapshot {name} of another run") from error
        return made


def _wait(api: PodApi, made: Json, claim: str, deadline: float) -> None:
    """Until it is ready; what ``status.error`` says may pass, and counts at the deadline only."""
    name, uid = made["metadata"]["name"], made["metadata"]["uid"]
    end, last = time.monotonic() + deadline, ""
    while True:
        found = _asked(api, f"volumesnapshots/{name}", _GROUP)
        if found["metadata"]["uid"] != uid or found["metadata"].get("deletionTimestamp"):
            raise ClusterError(f"somebody has deleted the snapshot {name}")
        status = found.get("status") or {}
        if status.get("readyToUse"):
            return
        error = (status.get("error") or {}).get("message", "")
        if error and error != last:
            print(f"snapshot {name} of {claim}: {error}", flush=True)
        last = error or last
        if time.monotonic() >= end:
            raise ClusterError(
                f"snapshot {name} of claim {claim} is not ready after {deadline:.0f} s: "
                f"{last or 'nobody says why'}",
                hint="Can the volume's driver make snapshots, and does the snapshot controller run?",
            )
        time.sleep(_PAUSE)


def _mount_of(pod: Json, folder: Path) -> tuple[Json, str]:
    """The innermost mount that holds the folder, and its claim."""
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    mounts = [
        mount
        for container in pod["spec"]["containers"]
        for mount in container.get("volumeMounts") or ()
        if folder.is_relative_to(mount["mountPath"])
    ]
    mount = max(mounts, key=lambda each: len(each["mountPath"]), default=None)
    if mount is None or mount["name"] not in claims:
        raise ClusterError(
            f"the folder {folder} is on no volume of the run, so no snapshot of it can be taken",
            hint="Start the run in a notebook, whose volumes it gets, or name a folder that "
            "volumes= mounts.",
        )
    return mount, claims[mount["name"]]


def _manifest(pod: Json, mount: Json, claim: Json, folder: Path, run: str, step: str) -> Json:
    metadata, spec, status = claim["metadata"], claim["spec"], claim.get("status") or {}
    container = next(
        each for each in pod["spec"]["containers"] if mount in (each.get("volumeMounts") or ())
    )
    volume = {
        "claim": metadata["name"],
        "path": mount["mountPath"],
        "uid": metadata["uid"],
        "sub_path": mount.get("subPath", ""),
        "workspace": Path.cwd().is_relative_to(mount["mountPath"]),
        "storage_class": spec.get("storageClassName"),
        "modes": spec.get("accessModes") or [],
        "size": (status.get("capacity") or {}).get("storage", ""),
    }
    about = {
        "mounts": [{"volume": volume, "marked": False}],
        "notebook": {
            "directory": str(folder),
            "image": container["image"],
            "user": os.getuid(),
            "group": os.getgid(),
        },
    }
    digest = hashlib.sha256(f"{run}\0{step}\0{metadata['name']}".encode()).hexdigest()[:8]
    name = f"{re.sub(r'[^a-z0-9]+', '-', step.lower()).strip('-')[:40]}-{digest}".lstrip("-")
    labels = {"app.kubernetes.io/managed-by": "kalelite", RUN_LABEL: run, STEP_LABEL: name[:-9]}
    own = {"name": name, "labels": labels, "annotations": {ABOUT: json.dumps(about)}}
    return _snapshot(own, metadata["name"], None)


def _snapshot(metadata: Json, claim: str, chosen: str | None) -> Json:
    source: Json = {"source": {"persistentVolumeClaimName": claim}}
    return {
        "apiVersion": f"{SNAPSHOT_GROUP}/v1",
        "kind": "VolumeSnapshot",
        "metadata": metadata,
        "spec": {**source, **({"volumeSnapshotClassName": chosen} if chosen else {})},
    }


def _class_of_source(api: PodApi, claim: Json) -> str | None:
    """The class of the snapshot that a claim is a clone of; None if it is none, or that is gone."""
    source = claim["spec"].get("dataSource") or {}
    if source.get("kind") != "VolumeSnapshot":
        return None
    try:
        found = api.call("GET", f"volumesnapshots/{source['name']}", group=_GROUP)
    except urllib.error.HTTPError:
        return None
    name: str | None = found["spec"].get("volumeSnapshotClassName")
    return name


def _asked(api: PodApi, path: str, group: str = "api/v1") -> Json:
    try:
        return api.call("GET", path, group=group)
    except urllib.error.HTTPError as error:
        raise _refused(error, f"read {path}") from error


def _refused(error: urllib.error.HTTPError, deed: str) -> ClusterError:
    text = error.read().decode("utf-8", "replace")
    try:
        text = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        text = text[:500]
    hint = "kalelite doctor prints the Role that the account of the steps needs."
    return ClusterError(
        f"{deed}: HTTP {error.code}: {text}", hint=hint if error.code == 403 else ""
    )
