"""The kinds of Kubernetes objects that kalelite reads or makes."""

from __future__ import annotations

from typing import Any

from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.volumes.provision import RUN_LABEL

Json = dict[str, Any]
"""An object as the API server spells it."""


OURS = {"app.kubernetes.io/managed-by": "kalelite"}
"""The label of everything that kalelite makes."""


def labels_of(run: str) -> dict[str, str]:
    """The labels of everything that is made for a run."""
    return {**OURS, RUN_LABEL: names.label_value(run, "run")}


def selector_of(run: str) -> str:
    """What selects everything that was made for a run."""
    return f"{RUN_LABEL}={names.label_value(run, 'run')}"


@frozen
class Resource:
    """A kind of object.

    ``base`` is the API group and version as a path; ``noun`` is what messages call an object.
    """

    base: str
    plural: str
    kind: str
    noun: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return self.base.partition("/")[2]

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    @property
    def full_name(self) -> str:
        """As in messages of the API server, ``volumesnapshots.snapshot.storage.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_CORE = "api/v1"
_STORAGE = "apis/storage.k8s.io/v1"
_SNAPSHOTS = "apis/snapshot.storage.k8s.io/v1"

PODS = Resource(_CORE, "pods", "Pod", "pod")
POD_LOGS = Resource(_CORE, "pods/log", "Pod", "log of a pod")
POD_PROXIES = Resource(_CORE, "pods/proxy", "Pod", "server in a pod")
CLAIMS = Resource(_CORE, "persistentvolumeclaims", "PersistentVolumeClaim", "claim")
CONFIG_MAPS = Resource(_CORE, "configmaps", "ConfigMap", "config map")
EVENTS = Resource(_CORE, "events", "Event", "event")
QUOTAS = Resource(_CORE, "resourcequotas", "ResourceQuota", "quota")
LIMIT_RANGES = Resource(_CORE, "limitranges", "LimitRange", "limit range")
NODES = Resource(_CORE, "nodes", "Node", "node", namespaced=False)
STORAGE_CLASSES = Resource(
    _STORAGE, "storageclasses", "StorageClass", "storage class", namespaced=False
)
SNAPSHOTS = Resource(_SNAPSHOTS, "volumesnapshots", "VolumeSnapshot", "snapshot")
SNAPSHOT_CLASSES = Resource(
    _SNAPSHOTS, "volumesnapshotclasses", "VolumeSnapshotClass", "snapshot class", namespaced=False
)
WORKFLOWS = Resource("apis/argoproj.io/v1alpha1", "workflows", "Workflow", "workflow")
SCHEDULES = Resource(
    "apis/kubeflow.org/v1beta1", "scheduledworkflows", "ScheduledWorkflow", "recurring run"
)
ACCESS_REVIEWS = Resource(
    "apis/authorization.k8s.io/v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    "access review",
    namespaced=False,
)
SELF_REVIEWS = Resource(
    "apis/authentication.k8s.io/v1",
    "selfsubjectreviews",
    "SelfSubjectReview",
    "review of oneself",
    namespaced=False,
)
