"""How Kubeflow Pipelines is reached: from settings to an address and credentials."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import ClusterError, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.kube_client import pod_namespace

if TYPE_CHECKING:
    from kalelite.runs.run_files import KfpData
    from kalelite.volumes.cluster import Cluster

KFP_NAMESPACE = "kubeflow"
"""Where Kubeflow Pipelines itself is installed."""

_PROXY = f"api/v1/namespaces/{KFP_NAMESPACE}/services/ml-pipeline:8888/proxy"
"""The service of the API, as Kubernetes' own API server passes requests on to it."""


_CREDENTIALS = (
    "ssl_ca_cert",
    "cert_file",
    "key_file",
    "verify_ssl",
    "api_key",
    "api_key_prefix",
)


@frozen
class Connection:
    """The settings ``kfp_…``, by the same names; None is not given.

    Without a host the API is where kfp finds it: ``KF_PIPELINES_ENDPOINT``, the service of the
    cluster that this pod is in, or behind the API server of the kubeconfig.
    """

    kfp_host: str | None = None
    kfp_context: str | None = None
    kfp_namespace: str | None = None
    kfp_ui: str | None = None
    kfp_token: str | None = None
    kfp_token_file: str | None = None
    kfp_cookies: str | None = None
    kfp_ca: str | None = None
    kfp_verify: str = "true"

    @classmethod
    def taken_from(cls, settings: dict[str, Any]) -> Connection:
        """Takes its own settings out of those of the backend."""
        names = {field.name for field in fields(cls)} & settings.keys()
        return cls(**{name: settings.pop(name) for name in names})

    def or_else(self, data: KfpData) -> Connection:
        """This connection; what it leaves out is as it was when a run was started."""
        return replace(
            self,
            kfp_host=self.kfp_host or data["host"] or None,
            kfp_context=self.kfp_context or data["context"] or None,
            kfp_namespace=self.kfp_namespace or data["namespace"] or None,
        )

    @property
    def host(self) -> str | None:
        """The address that was given, with its scheme."""
        host = self.kfp_host or os.environ.get("KF_PIPELINES_ENDPOINT")
        if host and "://" not in host:
            is_here = host.split(":")[0] in {"localhost", "127.0.0.1"}
            host = f"{'http' if is_here else 'https'}://{host}"
        return host.rstrip("/") if host else None

    @property
    def by_kubeconfig(self) -> bool:
        """Whether the API is reached through Kubernetes' API server."""
        return self.kfp_context is not None or not (self.host or pod_namespace())

    def token(self) -> str | None:
        """The bearer token, read anew from its file; raises `UsageError`."""
        if self.kfp_token or not self.kfp_token_file:
            return self.kfp_token
        path = Path(self.kfp_token_file).expanduser()
        try:
            return path.read_text("utf-8").strip()
        except OSError as error:
            message = f"kfp_token_file: {path} cannot be read: {error.strerror}"
            raise UsageError(message) from None

    def certificates(self) -> str | None:
        """The file that the API's certificate is checked with; raises `UsageError`."""
        if self.kfp_ca and not Path(self.kfp_ca).is_file():
            raise UsageError(f"kfp_ca: there is no file {self.kfp_ca}")
        return self.kfp_ca

    def put_kubeconfig(self, configuration: Any) -> None:
        """Give a `kfp_server_api.Configuration` the address and credentials of the kubeconfig.

        Raises `ClusterError` if there is none.
        """
        from kalelite.volumes.kube_client import client_of_kubeconfig

        try:
            given = client_of_kubeconfig(self.kfp_context).configuration
        except ClusterError as error:
            raise ClusterError(
                f"no address of Kubeflow Pipelines is known, and {error.message}",
                hint="Give KALELITE_KFP_HOST, such as http://localhost:8888 after "
                "kubectl port-forward -n kubeflow svc/ml-pipeline 8888.",
            ) from None
        for name in _CREDENTIALS:
            setattr(configuration, name, getattr(given, name))
        renew = given.refresh_api_key_hook

        def refresh(own: Any) -> None:
            renew(given)  # which sets the address, too, so not of our own
            own.api_key.update(given.api_key)

        configuration.refresh_api_key_hook = refresh if renew else None
        configuration.host = f"{given.host.rstrip('/')}/{_PROXY}"


def cluster_of(connection: Connection, namespace: str | None) -> Cluster | None:
    """The Kubernetes of the runs, if there is a way to it from here."""
    from kalelite.volumes.cluster import Cluster

    try:
        return Cluster.open(namespace=namespace or KFP_NAMESPACE, context=connection.kfp_context)
    except ClusterError:
        return None
