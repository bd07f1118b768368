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
from kalelite.backends.kubeflow.volume_pod import RunVolumeAt, trouble_of, volume_pod
from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ApiError
from kalelite.volumes.resources import PODS

_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Debian 12's Python 3.11.2 does not have it."""

_START = 180.0
"""Seconds that it may take to start."""


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
                archive.extractall(to, members=inside, **_FILTER)
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
    command = ("python3", "-c", inspect.getsource(reader_program), token, volume.home)
    pod = volume_pod(name, run, volume, command)
    probe = {"tcpSocket": {"port": reader_program.PORT}, "periodSeconds": 1}
    pod["spec"]["containers"][0]["readinessProbe"] = probe
    cluster.create(PODS, pod)
    try:
        _await(cluster, name)
        yield ReaderPod(cluster, name, token)
    finally:
        cluster.delete(PODS, name)


def _await(cluster: Cluster, name: str) -> None:
    end = cluster.clock() + _START
    while True:
        status = cluster.get(PODS, name).get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or ()}
        if conditions.get("Ready", {}).get("status") == "True":
            return
        trouble = trouble_of(status)
        ended = status.get("phase") in {"Failed", "Succeeded"}
        if ended or cluster.clock() > end:
            raise ClusterError(f"the pod that reads the run's volume does not start: {trouble}")
        cluster.sleep(0.5)
