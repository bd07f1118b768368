"""The API of Kubeflow Pipelines through a port of its pod, as ``kubectl port-forward`` reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from kalelite.backends.kubeflow.submit.connection import KFP_NAMESPACE
from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.resources import PODS

if TYPE_CHECKING:
    from socket import socket

_LABELS = "app=ml-pipeline"
_PORT = 8888
ADDRESS = "http://ml-pipeline"
"""What the API is called there."""


def forwarding_pool(context: str | None) -> urllib3.PoolManager:
    """Connections to the pod of the API, by a context of the kubeconfig.

    Raises `ClusterError` where that may not be done, or the pod is not found.
    """
    cluster = Cluster.open(namespace=KFP_NAMESPACE, context=context)

    def dial() -> socket:
        pods = cluster.list(PODS, labels=_LABELS, fields="status.phase=Running")
        if not pods:
            raise ClusterError(f"no pod {_LABELS} runs in the namespace {KFP_NAMESPACE}")
        return cluster.dial(pods[0]["metadata"]["name"], _PORT)

    class Connection(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> Any:
            return dial()

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    dial().close()
    pool = urllib3.PoolManager()
    pool.pool_classes_by_scheme = {"http": Pool}
    return pool
