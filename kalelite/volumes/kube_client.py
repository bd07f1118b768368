"""What the library ``kubernetes`` does for us; the one module that imports it.

It finds the API server and the credentials, keeps tokens fresh, and forwards ports of pods.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kalelite.errors import ClusterError
from kalelite.volumes.cluster_errors import refusal

if TYPE_CHECKING:
    from typing import TypeAlias

    import kubernetes.client

    ApiClient: TypeAlias = kubernetes.client.ApiClient

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def has_account() -> bool:
    """Whether this is a pod with a service account of its own."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (_ACCOUNT / "token").exists()


def pod_namespace() -> str | None:
    """The namespace of the pod that this runs in, None elsewhere."""
    try:
        return (_ACCOUNT / "namespace").read_text("utf-8").strip() or None
    except OSError:
        return None


def client_in_pod() -> ApiClient:
    """A client with the service account of this pod."""
    with _configuring() as kubernetes:
        settings = kubernetes.client.Configuration()
        kubernetes.config.load_incluster_config(client_configuration=settings)
        client: ApiClient = kubernetes.client.ApiClient(settings)
        return client


def client_of_kubeconfig(context: str | None) -> ApiClient:
    """A client as a context of the kubeconfig says, its current one if that is None."""
    with _configuring() as kubernetes:
        # As it is now: the library has read the variable when it was imported.
        file = os.environ.get("KUBECONFIG")
        client: ApiClient = kubernetes.config.new_client_from_config(file, context=context)
        return client


def namespace_of_context(context: str | None) -> str:
    """The namespace of a context of the kubeconfig, empty if that names none."""
    with _configuring() as kubernetes:
        contexts, current = kubernetes.config.list_kube_config_contexts(
            os.environ.get("KUBECONFIG")
        )
        found = next((each for each in contexts if each["name"] == context), current)
        return str(found["context"].get("namespace") or "")


def forwarded(client: ApiClient, namespace: str, pod: str, port: int) -> socket.socket:
    """A connection to a port of a pod, by way of the API server; raises `ClusterError`."""
    with _configuring() as kubernetes:
        from kubernetes import stream

        api = kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_portforward
        try:
            made = stream.portforward(api, pod, namespace, ports=str(port))
        except kubernetes.client.ApiException as error:
            text = str(error.reason)
            status = re.search(r"Handshake status (\d+)", text)
            deed = f"forward port {port} of pod {pod!r}"
            raise refusal(int(status[1]) if status else 0, text.encode(), deed) from error
        return cast("socket.socket", made.socket(port))


@contextmanager
def _configuring() -> Iterator[Any]:
    """The library, and its errors about the configuration as ours."""
    try:
        import kubernetes.client
        import kubernetes.config
    except ImportError:
        raise ClusterError(
            "the cluster cannot be reached: the package kubernetes is not installed",
            hint="pip install 'kalelite[kfp]'",
        ) from None
    try:
        yield kubernetes
    except (kubernetes.config.ConfigException, OSError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(
            f"no cluster is configured: {error}",
            hint="Run it in a pod, set KUBECONFIG, or log in so that there is a ~/.kube/config.",
        ) from error
