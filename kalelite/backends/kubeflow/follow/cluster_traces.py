"""What Kubernetes tells of a run's pods, where the user may read it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.follow.step_output import cleaned, record_in
from kalelite.errors import ClusterError, CorruptObjectError
from kalelite.executor import record_file
from kalelite.volumes.resources import PODS, WORKFLOWS

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.follow.observing import Observation
    from kalelite.executor.spec import Record
    from kalelite.volumes.cluster import Cluster


_LINES = 10_000
"""Lines of a log that are kept: its end."""

_NO_LOG = "unable to retrieve container logs for "
"""What a node gives for the log of a container that is gone."""


class ClusterTraces:
    """Reads Workflows, logs and events; without a cluster there are none.

    ``records`` is the folder of the run's tasks on its volume, where that is mounted here.
    """

    def __init__(self, cluster: Cluster | None, records: Path | None = None) -> None:
        self._cluster = cluster
        self._records = records

    def workflow(self, run: str) -> Mapping[str, Any] | None:
        """The Workflow of a run; raises `ClusterError` where it may not be read."""
        if self._cluster is None:
            return None
        found = self._cluster.list(WORKFLOWS, labels=f"pipeline/runid={run}")
        return found[0] if found else None

    def log(self, pod: str) -> str | None:
        """What a pod has printed, without the lines of Argo and KFP."""
        if self._cluster is None:
            return None
        try:
            text = self._cluster.log(pod, "main", tail=_LINES)
        except ClusterError:
            return None
        return None if text.startswith(_NO_LOG) else cleaned(text)

    def record(self, instance: str, seen: Observation, log: str | None) -> Record | None:
        """The record that the step has left on the volume, if that is mounted here, or in its log."""
        del seen
        found = None
        if self._records is not None:
            with suppress(CorruptObjectError, OSError):
                found = record_file.read(self._records / instance / "record.json")
        return found or record_in(log or "")

    def events(self, pod: str) -> list[str]:
        """What has happened to a pod, oldest first."""
        if self._cluster is None:
            return []
        try:
            uid = str(self._cluster.get(PODS, pod)["metadata"]["uid"])
            return [f"{event.reason}: {event.message}" for event in self._cluster.events(uid)]
        except ClusterError:
            return []
