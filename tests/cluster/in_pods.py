"""Runs compiled pipelines on the cluster: each container is a pod of its own.

kfp's local runner hands its tasks neither claims nor anything else of the platform spec, and runs
what may run at once one by one. So the walker is that of the conformance suite, which does what KFP
does with conditions, loops and failures; here it runs what does not wait for one another at once.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from conformance_seen import Seen, put_together, seen_in
from harness import PATH, Harness, HarnessError
from ir_pods import manifest
from lab import IMAGE, Lab, wait

from kalelite.backends.kubeflow.compile.build import build, code_of, package
from kalelite.backends.kubeflow.compile.compile_settings import settings_for
from kalelite.backends.kubeflow.pod.run_home import KEPT
from kalelite.backends.kubeflow.submit.provisioning import Supply
from kalelite.backends.kubeflow.submit.run_owner import WORKFLOWS, give_to_workflow
from kalelite.errors import StepError
from kalelite.executor import record_file
from kalelite.marshal import Store
from kalelite.volumes.cluster_errors import ConflictError, MissingApiError
from kalelite.volumes.resources import CLAIMS, PODS, Resource

AT_ONCE = 6
TEMPLATE = "system-container-impl"
DEFINITIONS = Resource(
    "apis/apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "definition",
    namespaced=False,
)
VOLUMES = Resource("api/v1", "persistentvolumes", "PersistentVolume", "volume", namespaced=False)
IGNORED = {"workflows.argoproj.io/controller-instanceid": "tests-of-kalelite"}
"""Keeps Argo, if it is there, from running the Workflows of these tests."""
RIGHTS = (
    (["argoproj.io"], ["workflows"], ["get"]),
    ([""], ["pods"], ["create", "get", "list", "delete"]),
    ([""], ["pods/log"], ["get"]),
    ([""], ["persistentvolumeclaims"], ["create", "get", "delete"]),
    (["snapshot.storage.k8s.io"], ["volumesnapshots"], ["create", "get"]),
)
"""What the service account of KFP's runs may do, as far as kalelite's tasks use it."""


def know(lab: Lab, resource: Resource) -> None:
    """Let the cluster know a kind of objects, as what would be installed there defines it."""
    name = f"{resource.plural}.{resource.group}"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": resource.base.rpartition("/")[2], "served": True, "storage": True}
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    spec = {
        "group": resource.group,
        "scope": "Namespaced",
        "names": names,
        "versions": [{**version, "schema": {"openAPIV3Schema": anything}}],
    }
    with contextlib.suppress(ConflictError):
        lab.cluster.create(DEFINITIONS, {"metadata": {"name": name}, "spec": spec})

    def served() -> bool:
        try:
            return lab.cluster.list(resource) == []
        except MissingApiError:
            return False

    wait(f"{resource.plural} known", served)


class InPods(Harness):
    """Runs one compiled pipeline; ``folders`` are those of this machine that its steps see."""

    def __init__(self, path: Path, lab: Lab, run_name: str, folders=(), images=(), run_id=""):
        folder = path.parent / run_name
        shelf = SimpleNamespace(claims=folder / "claims", objects_folder=folder / "objects")
        shelf.objects_folder.mkdir(parents=True)
        super().__init__(path, shelf, Path(), run_name)
        self.run_id = run_id or self.run_id
        self.lab = lab
        self.folders = folders
        self.images = dict(images)
        made = lab.cluster.create(
            WORKFLOWS,
            {
                "metadata": {
                    "name": run_name,
                    "labels": {**IGNORED, "pipeline/runid": self.run_id},
                },
                "spec": shelf.workflow,
            },
        )
        owner = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "name": run_name}
        self.owner = {**owner, "uid": made["metadata"]["uid"]}

    def together(self, calls, limit=0):
        """At once, as far as the loop allows."""
        if len(calls) < 2:
            return super().together(calls)
        with ThreadPoolExecutor(limit or AT_ONCE) as pool:
            begun = [pool.submit(contextvars.copy_context().run, call) for call in calls]
            return [each.result() for each in begun]

    def mounted(self, config):
        return contextlib.nullcontext()

    def process(self, command, container, config, work):
        for folder in (work, *work.rglob("*")):
            folder.chmod(0o777 if folder.is_dir() else 0o666)
        container = {**container, "image": self.images.get(container["image"], container["image"])}
        node = ".".join([*PATH.get(), "executor"])
        name = self.pod_name()
        folders = (work, *self.folders)
        pod = manifest(name, command, container, config, folders=folders, node=node)
        pod["metadata"]["ownerReferences"] = [self.owner]
        pod["metadata"]["labels"]["workflows.argoproj.io/workflow"] = self.run_name
        self.lab.cluster.create(PODS, pod)
        return self.ended(name)

    def pod_name(self) -> str:
        """As Argo names pods: after the Workflow, the template and the number of the node."""
        return f"{self.run_name}-{TEMPLATE}-{uuid.uuid4().int % 10**9}"

    def ended(self, name: str) -> tuple[int, str]:
        """Wait for the end of a pod: its exit code and its log."""
        cluster = self.lab.cluster
        end = time.monotonic() + 180
        while (status := cluster.get(PODS, name)["status"])["phase"] in {"Pending", "Running"}:
            if time.monotonic() > end:
                raise HarnessError(f"pod {name} does not end: {status}")
            time.sleep(0.2)
        states = [each["state"].get("terminated") for each in status.get("containerStatuses", ())]
        log = cluster.log(name) if any(states) else ""
        code = 0 if status["phase"] == "Succeeded" else 1
        return code, f"{log}{status.get('reason', '')}"


class Ran:
    """What a run did, and what it has left on its volume."""

    def __init__(self, plan, seen: Seen, home: Path, run: str) -> None:
        self.seen, self.store, self.folder = seen, Store(home / "store"), home / "runs" / run
        own = {task.id for task in plan.tasks}
        found = map(record_file.read, self.folder.glob("tasks/*/record.json"))
        self.records = {each.task: each for each in found if each.task.partition("[")[0] in own}

    def output(self, name: str):
        """An output of an instance, as of `kalelite.runs.run_result.RunResult`."""
        task, _, output = name.partition(".")
        outputs = self.records[task].outputs
        if not outputs:
            raise StepError(f"the run has no output {name!r}")
        return self.store.load(outputs[output or next(iter(outputs))]["ref"])


def run_in_pods(
    plan, arguments, lab: Lab, folder: Path, *, outside=True, folders=(), images=(), **settings
) -> Ran:
    """Run a plan on the cluster.

    ``outside``: who starts the run makes its claim and brings its code, else a task of it does.
    """
    run_name = f"r-{uuid.uuid4().hex[:8]}"
    given = {"image": IMAGE, "marshal_volume_size": "64Mi", "arguments": arguments, **settings}
    settings = settings_for(plan, given)
    supply = Supply(lab.cluster if outside else None, plan, settings, environ={})
    provided = supply(run_name, code_of(plan, settings).bundle())
    compiled = build(plan, provided.settings)
    path = folder / "pipeline.yaml"
    path.write_bytes(package(plan, compiled))
    harness = InPods(path, lab, run_name, folders, images)
    if provided.owner:
        assert give_to_workflow(lab.cluster, provided.owner, harness.run_id)
    outcome = harness.run()
    claim = provided.settings.marshal_volume
    id = provided.settings.run or harness.run_id
    if provided.settings.carries:
        objects = harness.cluster.objects_folder
        home = put_together(objects.glob(f"*-{KEPT}*"), objects.parent, id, outcome.log())
    else:
        home = folder_of(lab, claim if isinstance(claim, str) else run_name) / ".kalelite"
    return Ran(plan, seen_in(plan, outcome, home, id, arguments), home, id)


def folder_of(lab: Lab, claim: str) -> Path:
    """Where the driver of the cluster keeps the files of a claim."""
    volume = lab.cluster.get(VOLUMES, lab.cluster.get(CLAIMS, claim)["spec"]["volumeName"])
    csi = volume["spec"]["csi"]
    home = os.environ.get("KC_HOME", "/var/lib/kc")
    return Path(home) / "csi" / csi["driver"] / "volumes" / csi["volumeHandle"] / "data"
