"""What the tests of the cluster do by hand: claims, pods, and looking at what became of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import NotFoundError
from kalelite.volumes.leftovers import find_leftovers
from kalelite.volumes.provision import RUN_LABEL
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS, PODS, SNAPSHOTS, Resource

ATTEMPT = "kalelite.dev/attempt"
IMAGE = "localhost/kc/python:3.11"
ROOT = Path(__file__).resolve().parents[2]
CONTENTS = Resource(
    SNAPSHOTS.base, "volumesnapshotcontents", "VolumeSnapshotContent", "content", namespaced=False
)
NAMESPACES = Resource("api/v1", "namespaces", "Namespace", "namespace", namespaced=False)
RBAC = Resource("apis/rbac.authorization.k8s.io/v1", "", "", "")
ROLES = Resource(RBAC.base, "roles", "Role", "role")
BINDINGS = Resource(RBAC.base, "rolebindings", "RoleBinding", "role binding")
QUOTAS = Resource("api/v1", "resourcequotas", "ResourceQuota", "quota")
ACCOUNTS = Resource("api/v1", "serviceaccounts", "ServiceAccount", "service account")


def find_kit():
    """The program of the cluster: beside the checkout, or upwards of it."""
    named = os.environ.get("KALELITE_SHARED")
    places = [Path(named)] if named else [up / "shared" for up in ROOT.parents]
    programs = (place / "cluster" / "cluster" for place in places)
    return next((program for program in programs if program.exists()), None)


def wait(what, test, seconds=60):
    end = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)
    return found


class Kit:
    """The cluster of ../shared/cluster; variables of its own make it another one beside."""

    def __init__(self, program, environ=None):
        self.program = str(program)
        self.environ = {**os.environ, **(environ or {})}
        self("up")

    def __call__(self, *words):
        done = subprocess.run(
            [self.program, *words], capture_output=True, text=True, env=self.environ
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def client(self, user="admin"):
        from kubernetes import config

        return config.new_client_from_config(self("kubeconfig", user))


class Lab:
    """A namespace, and an administrator in it; ``cluster`` is kalelite's own client."""

    def __init__(self, kit):
        self.kit = kit
        self.namespace = f"t-{uuid.uuid4().hex[:8]}"
        self.own = set()
        """The names of claims of the test's own."""
        self.cluster = Cluster.open(client=kit.client(), namespace=self.namespace)

    def __enter__(self):
        self.cluster.create(NAMESPACES, {"metadata": {"name": self.namespace}})
        wait("service account", lambda: self.cluster.list(ACCOUNTS))
        return self

    def __exit__(self, *_):
        try:
            self.hold_record()
        finally:
            self._remove()

    def hold_record(self):
        """Nothing of kalelite's is without its labels, or not found by `kalelite clean`."""
        kinds = (CLAIMS, SNAPSHOTS, CONFIG_MAPS, PODS)
        there = [(kind, each["metadata"]) for kind in kinds for each in self.cluster.list(kind)]
        found = {each.uid for each in find_leftovers(self.cluster, time.time(), 0)}
        for kind, metadata in there:
            name, labels = metadata["name"], metadata.get("labels") or {}
            if RUN_LABEL in labels and "deletionTimestamp" not in metadata:
                assert metadata["uid"] in found, f"clean does not find {kind.noun} {name}"
            elif kind in {CLAIMS, SNAPSHOTS} and name not in self.own:
                is_restored = kind is CLAIMS and ATTEMPT in labels
                owners = {owner["kind"] for owner in metadata.get("ownerReferences") or ()}
                known = is_restored or RUN_LABEL in labels or owners == {"Pod"}  # an ephemeral one
                assert known, f"{kind.noun} {name} is of nobody"

    def _remove(self):
        for snapshot in self.cluster.list(SNAPSHOTS):
            self.cluster.delete(SNAPSHOTS, snapshot["metadata"]["name"])
            status = snapshot.get("status") or {}
            content = status.get("boundVolumeSnapshotContentName")
            if not status.get("readyToUse") and content:
                # No driver takes it away that could not make it.
                self._free(SNAPSHOTS, snapshot["metadata"]["name"])
                self.cluster.delete(CONTENTS, content)
                self._free(CONTENTS, content)
        for claim in self.cluster.list(CLAIMS):
            # The controller leaves it where a snapshot never got ready.
            if any("as-source" in each for each in claim["metadata"].get("finalizers", ())):
                self._free(CLAIMS, claim["metadata"]["name"])
        self.cluster.delete(NAMESPACES, self.namespace)

    def _free(self, resource, name):
        with contextlib.suppress(NotFoundError):
            self.cluster.patch(resource, name, {"metadata": {"finalizers": None}})

    def cluster_as(self, user):
        return Cluster.open(client=self.kit.client(user), namespace=self.namespace)

    def cluster_of(self, user):
        """As anybody: the administrator may speak in anybody's name."""
        client = self.kit.client()
        client.default_headers["Impersonate-User"] = user
        return Cluster.open(client=client, namespace=self.namespace)

    def command(self, *words, user="admin", **environ):
        """kalelite on this machine's command line, as one of the kit's users."""
        environ = {"KUBECONFIG": self.kit("kubeconfig", user), "PATH": "/usr/bin", **environ}
        return subprocess.run(
            [sys.executable, "-m", "kalelite", *words],
            env={**environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    def claim(self, name, storage="dir", size="16Mi", mode="ReadWriteOnce", bound=None, **spec):
        body = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, **spec}
        if storage is not None:
            body["storageClassName"] = storage
        self.own.add(name)
        self.cluster.create(CLAIMS, {"metadata": {"name": name}, "spec": body})
        if bound is None:
            bound = storage in {"dir", "dir-retain", "dir-rwo", "dir-empty-clone"}
        if bound:
            wait(f"{name} bound", lambda: self.phase(name) == "Bound")

    def grant(self, user, *rules):
        """Give a user rules in this namespace: each is groups, resources and verbs."""
        keys = ("apiGroups", "resources", "verbs")
        rules = [dict(zip(keys, rule, strict=True)) for rule in rules]
        subject = {"kind": "User", "name": user, "apiGroup": RBAC.group}
        self.cluster.create(ROLES, {"metadata": {"name": "r"}, "rules": rules})
        reference = {"apiGroup": RBAC.group, "kind": "Role", "name": "r"}
        binding = {"metadata": {"name": "b"}, "subjects": [subject], "roleRef": reference}
        self.cluster.create(BINDINGS, binding)

    def ours(self):
        """Everything of kalelite's that there is, but what is being deleted."""
        found = [
            f"{resource.noun} {each['metadata']['name']}"
            for resource in (CONFIG_MAPS, SNAPSHOTS, CLAIMS)
            for each in self.cluster.list(resource, labels="app.kubernetes.io/managed-by=kalelite")
            if not each["metadata"].get("deletionTimestamp")
        ]
        return sorted(found)

    def phase(self, claim):
        return self.cluster.get(CLAIMS, claim)["status"]["phase"]

    def pod(
        self,
        name,
        command="sleep 600",
        claims=(),
        *,
        volumes=(),
        mounts=(),
        pod=(),
        metadata=(),
        **container,
    ):
        """A pod with a claim for each path of ``claims``; the rest is as Kubernetes spells it."""
        claims = dict(claims)
        sources = [
            {"name": f"v{number}", "persistentVolumeClaim": {"claimName": claim}}
            for number, claim in enumerate(claims.values())
        ]
        places = [{"name": f"v{number}", "mountPath": path} for number, path in enumerate(claims)]
        main = {
            "name": "main",
            "image": IMAGE,
            "command": command if isinstance(command, list) else ["sh", "-c", command],
            "volumeMounts": [*places, *mounts],
            **container,
        }
        spec = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "volumes": [*sources, *volumes],
            "containers": [main],
            **dict(pod),
        }
        self.cluster.create(PODS, {"metadata": {"name": name, **dict(metadata)}, "spec": spec})

    def finished(self, name, seconds=90):
        def ended():
            phase = self.cluster.get(PODS, name)["status"]["phase"]
            return phase if phase in {"Succeeded", "Failed"} else None

        phase = wait(f"end of pod {name}", ended, seconds)
        return phase, self.cluster.log(name)

    def output(self, name, command, claims=(), **more):
        self.pod(name, command, claims, **more)
        phase, text = self.finished(name)
        assert phase == "Succeeded", text
        return text.strip()
