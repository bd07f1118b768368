"""A pod that mounts a run's volume, and is asked for files through the Kubernetes API server."""

from __future__ import annotations

import inspect
import io
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from kalelite.backends.kubeflow.bring import reader_program
from kalelite.backends.kubeflow.follow.pod_troubles import waiting_for
from kalelite.errors import ClusterError
from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ApiError
from kalelite.volumes.resources import PODS, labels_of

_LIFE = 900
"""Seconds after which Kubernetes ends a reader that nobody has removed."""

_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Debian 12's Python 3.11.2 does not have it."""

_START = 180.0
"""Seconds that it may take to start."""


@frozen
class RunVolumeAt:
    """The claim that holds kalelite's folder of a run, that folder in the pods, and an image."""

    claim: str
    home: str
    image: str
    user: int | None = None
    group: int | None = None


class ReaderPod:
    """A reader that runs."""

    def __init__(self, cluster: Cluster, name: str, token: str) -> None:
        self._cluster = cluster
        self._name = name
        self._token = token

    def copy(self, path: str, to: Path) -> bool:
        """Copy a file or folder below kalelite's folder, to the same place below another.

        False if there is none. Raises `ClusterError` if it cannot be read.
        """
        try:
            data = self._cluster.through(self._name, reader_program.PORT, f"{self._token}/{path}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                inside = _inside(archive, path.split("/", maxsplit=1)[0])
                archive.extractall(to, members=inside, **_FILTER)  # noqa: S202 - _inside checks them
        except (tarfile.TarError, OSError) as error:
            raise ClusterError(
                f"{path} could not be copied from the run's volume: {error}"
            ) from error
        return True


def _inside(archive: tarfile.TarFile, root: str) -> Iterator[tarfile.TarInfo]:
    """The members below a folder; where Python does not filter them, files and folders alone."""
    for each in archive:
        parts = PurePosixPath(each.name).parts
        if parts[0] != root or ".." in parts:
            continue
        if not (_FILTER or each.isreg() or each.isdir()):
            raise tarfile.TarError(f"{each.name} is a link: this needs Python 3.11.4 or newer")
        yield each


@contextmanager
def reader_pod(cluster: Cluster, run: str, volume: RunVolumeAt) -> Iterator[ReaderPod]:
    """Start a reader of a run's volume, and remove it at the end.

    Raises `ClusterError` if it may not be made, or does not start.
    """
    name, token = f"kalelite-reader-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    cluster.create(PODS, _manifest(name, token, run, volume))
    try:
        _await(cluster, name)
        yield ReaderPod(cluster, name, token)
    finally:
        cluster.delete(PODS, name)


def _manifest(name: str, token: str, run: str, volume: RunVolumeAt) -> dict[str, Any]:
    program = inspect.getsource(reader_program)
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    security |= {"runAsUser": volume.user} if volume.user is not None else {}
    security |= {"runAsGroup": volume.group} if volume.group is not None else {}
    mount = volume.home.rpartition("/")[0] or "/"
    return {
        "metadata": {"name": name, "labels": labels_of(run)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "reader",
                    "image": volume.image,
                    "command": ["python3", "-c", program, token, volume.home],
                    "securityContext": security,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                    "readinessProbe": {
                        "tcpSocket": {"port": reader_program.PORT},
                        "periodSeconds": 1,
                    },
                    "volumeMounts": [{"name": "run", "mountPath": mount, "readOnly": True}],
                }
            ],
            "volumes": [{"name": "run", "persistentVolumeClaim": {"claimName": volume.claim}}],
        },
    }


def _await(cluster: Cluster, name: str) -> None:
    end = cluster.clock() + _START
    while True:
        status = cluster.get(PODS, name).get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or ()}
        if conditions.get("Ready", {}).get("status") == "True":
            return
        trouble = _trouble(status, conditions)
        ended = status.get("phase") in {"Failed", "Succeeded"}
        if ended or cluster.clock() > end:
            raise ClusterError(f"the pod that reads the run's volume does not start: {trouble}")
        cluster.sleep(0.5)


def _trouble(status: dict[str, Any], conditions: dict[str, Any]) -> str:
    states = (each.get("state") or {} for each in status.get("containerStatuses") or ())
    waits = (state.get("waiting") or state.get("terminated") or {} for state in states)
    texts = [f"{each.get('reason', '')}: {each.get('message', '')}" for each in waits]
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        texts.append(f"Unschedulable: {scheduled.get('message', '')}")
    found = waiting_for("; ".join(texts))
    return found.message if found is not None else "it takes too long"
