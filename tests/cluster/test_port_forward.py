"""The API of Kubeflow Pipelines by a kubeconfig that may only forward ports."""

from __future__ import annotations

import contextlib

import pytest
from lab import Lab, wait

from kalelite.authoring.backends import open_backend
from kalelite.backends.kubeflow.submit.connection import KFP_NAMESPACE
from kalelite.errors import ClusterError
from kalelite.volumes.cluster_errors import ConflictError
from kalelite.volumes.resources import PODS

SERVER = """
import http.server

class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"multi_user": false, "tag_name": "2.17.0"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8888), Api).serve_forever()
"""
FORWARDS = ([""], ["pods/portforward"], ["get", "create"])


class InstalledLab(Lab):
    """The namespace of Kubeflow Pipelines itself, which stays; a pod in it stands for the API."""

    def __init__(self, kit):
        super().__init__(kit)
        self.name, self.namespace = self.namespace, KFP_NAMESPACE
        self.cluster.namespace = KFP_NAMESPACE

    def __enter__(self):
        with contextlib.suppress(ConflictError):
            super().__enter__()
        self.pod(self.name, ["python3", "-c", SERVER], metadata={"labels": {"app": "ml-pipeline"}})
        wait("the API", lambda: self.cluster.get(PODS, self.name)["status"]["phase"] == "Running")
        return self

    def __exit__(self, *_):
        self.cluster.delete(PODS, self.name)
        self.kit("kubectl", "-n", KFP_NAMESPACE, "delete", "role/r", "rolebinding/b")


@pytest.mark.parametrize("may_list", [True, False])
def test_who_may_forward_ports_reaches_the_api(kit, monkeypatch, may_list):
    monkeypatch.setenv("KUBECONFIG", kit("kubeconfig", "alice"))
    monkeypatch.delenv("KALELITE_KFP_HOST", raising=False)
    with InstalledLab(kit) as installed:
        rights = [FORWARDS, ([""], ["pods"], ["list"])] if may_list else [FORWARDS]
        installed.grant("alice", *rights)
        backend = open_backend("kubeflow")
        if may_list:
            assert wait("the role", lambda: answer(backend)) == "2.17.0 at http://ml-pipeline"
        else:
            with pytest.raises(ClusterError, match="does not let you do that") as refused:
                backend.greet()
            assert "create pods/portforward" in refused.value.hint


def answer(backend):
    with contextlib.suppress(ClusterError):
        return backend.greet()
