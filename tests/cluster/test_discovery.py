"""A notebook's volumes, found in pods of every shape."""

from __future__ import annotations

import pytest

from kalelite.errors import ClusterError, UsageError
from kalelite.volumes.discover import notebook
from kalelite.volumes.resources import CLAIMS

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
SIDECAR = {"name": "istio-proxy", "image": "localhost/kc/pause:1"}


def test_every_kind_of_volume(lab):
    lab.claim("work", size="32Mi", mode="ReadWriteMany")
    lab.claim("data")
    lab.claim("logs")
    ephemeral = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "16Mi"}},
        "storageClassName": "dir",
    }
    lab.pod(
        "nb-0",
        claims={"/home/jovyan": "work", "/data": "data"},
        workingDir="/home/jovyan/project",
        volumes=[
            {"name": "logs", "persistentVolumeClaim": {"claimName": "logs"}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
            {"name": "node", "hostPath": {"path": "/tmp"}},
            {"name": "conf", "configMap": {"name": "kube-root-ca.crt"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": ephemeral}}},
        ],
        mounts=[
            {"name": "v1", "mountPath": "/models/", "subPath": "models", "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "node", "mountPath": "/node"},
            {"name": "conf", "mountPath": "/conf"},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "v1", "mountPath": "/own", "subPathExpr": "$(HOSTNAME)"},
        ],
        metadata={"labels": {"notebook-name": "main"}},
        pod={"securityContext": {"fsGroup": 100, "runAsUser": 1000}},
        securityContext={"runAsGroup": 100},
        env=[{"name": "HOSTNAME", "value": "x"}],
    )

    book = notebook(lab.cluster, "nb-0")

    uid = lab.cluster.get(CLAIMS, "work")["metadata"]["uid"]
    work, data, models = book.volumes
    assert (work.claim, work.path, work.uid, work.size) == ("work", "/home/jovyan", uid, "32Mi")
    assert (work.storage_class, work.modes) == ("dir", ("ReadWriteMany",))
    assert (work.driver, work.phase) == ("dir.csi.kalelite.test", "Bound")
    assert work == book.workspace
    assert (data.claim, data.path, data.sub_path, data.read_only) == ("data", "/data", "", False)
    assert (models.claim, models.path) == ("data", "/models")
    assert (models.sub_path, models.read_only) == ("models", True)
    others = {other.path or other.name: other.why for other in book.others}
    assert {path: why for path, why in others.items() if "serviceaccount" not in path} == {
        "/dev/shm": "it is empty whenever a pod starts",
        "/node": "it is a folder of the node",
        "/conf": "it shows a config map",
        "/scratch": "its claim lives and dies with the pod",
        "/own": "its subPathExpr has another value in each pod",
        "logs": "nothing mounts it",
    }
    assert (book.user, book.group, book.fs_group) == (1000, 100, 100)
    assert (book.container, book.image, book.here) == ("main", "localhost/kc/python:3.11", False)


def test_the_workspace_holds_the_folder(lab):
    lab.claim("work", bound=False)
    lab.claim("data", bound=False)
    lab.pod(
        "nb-0",
        claims={"/home/jovyan": "work", "/home/jovyan/data": "data"},
        volumes=[{"name": "cache", "emptyDir": {}}],
        mounts=[{"name": "cache", "mountPath": "/home/jovyan/cache"}],
    )

    def workspace(directory):
        found = notebook(lab.cluster, "nb-0", directory=directory).workspace
        return found.claim if found else None

    assert workspace("/home/jovyan") == "work"
    assert workspace("/home/jovyan/deep/down") == "work"
    assert workspace("/home/jovyan-2") is None
    assert workspace("/home/jovyan/data/x") == "data"
    assert workspace("/home/jovyan/cache/x") is None
    assert workspace("/tmp") is None


def two_containers(lab, name, **metadata):
    lab.pod(
        name,
        claims={"/data": "data"},
        pod={
            "containers": [
                SIDECAR | {"volumeMounts": [{"name": "side", "mountPath": "/side"}]},
                {
                    "name": "nb",
                    "image": "localhost/kc/python:3.11",
                    "command": ["sleep", "600"],
                    "volumeMounts": [{"name": "v0", "mountPath": "/data"}],
                },
            ],
            "volumes": [
                {"name": "v0", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "side", "persistentVolumeClaim": {"claimName": "side"}},
            ],
        },
        metadata=metadata,
    )


def test_the_container_of_the_notebook_among_sidecars(lab):
    lab.claim("data")
    lab.claim("side")
    two_containers(lab, "a", annotations={"kubectl.kubernetes.io/default-container": "nb"})
    two_containers(lab, "b", labels={"notebook-name": "nb"})
    two_containers(lab, "nb-0")

    for book in (
        notebook(lab.cluster, "a"),
        notebook(lab.cluster, "b"),
        notebook(
            lab.cluster,
            environ=IN_A_POD
            | {"HOSTNAME": "renamed", "NB_PREFIX": f"/notebook/{lab.namespace}/nb/"},
        ),
    ):
        assert book.container == "nb"
        assert [volume.claim for volume in book.volumes] == ["data"]
        assert "only the container istio-proxy mounts it" in {other.why for other in book.others}
    with pytest.raises(UsageError, match="istio-proxy, nb, and none is known") as caught:
        notebook(lab.cluster, "nb-0")
    assert "default-container" in str(caught.value)


def test_what_is_no_notebook(lab):
    with pytest.raises(UsageError, match="this is no pod"):
        notebook(lab.cluster, environ={})
    with pytest.raises(UsageError, match=f"namespace {lab.namespace} has no pod gone-0"):
        notebook(lab.cluster, environ=IN_A_POD | {"HOSTNAME": "gone-0"})
    with pytest.raises(ClusterError, match="not found"):
        notebook(lab.cluster, "gone-0")
    lab.pod("nb-0", claims={"/data": "never-made"})
    with pytest.raises(ClusterError, match="the claim never-made, which does not exist"):
        notebook(lab.cluster, "nb-0")
