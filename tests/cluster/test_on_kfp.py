"""Every conformance program and example on a real Kubeflow Pipelines, submitted and followed.

It takes a step a quarter of a minute, so it is run by hand:

    KALELITE_CLUSTER=1 KALELITE_KFP_HOST=http://127.0.0.1:8888 pytest -n 5 tests/cluster/test_on_kfp.py
"""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from conformance_programs import PROGRAMS, arguments_of, load
from conformance_seen import put_together, seen_in
from in_pods import Ran, folder_of
from lab import IMAGE
from test_conformance import WITHOUT_A_VOLUME, hold, journal_of
from test_examples import EXAMPLES, NEEDS, hold_records
from test_runs_in_pods import NAMES, printed

from kalelite.authoring.backends import open_backend
from kalelite.backends.kubeflow.pod.run_home import KEPT
from kalelite.executor import record_file
from kalelite.plan.graph import ContainerDef
from kalelite.plan.options.values import Volume
from kalelite.runs.pipeline_run import Run
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ConflictError
from kalelite.volumes.resources import CLAIMS, WORKFLOWS

HOST = os.environ.get("KALELITE_KFP_HOST", "")
NAMESPACE = os.environ.get("KALELITE_KFP_NAMESPACE", "kubeflow")
OBJECTS = Path(os.environ.get("KC_HOME", "/var/lib/kc"), "kfp/s3/buckets/mlpipeline")
"""Where its object store keeps the objects."""

VOLUME = "/marshal"
"""Where the volume of a run is, which its journal is written to."""

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not HOST,
        reason="needs a Kubeflow Pipelines on the cluster of the tests:"
        " KALELITE_KFP_HOST=http://127.0.0.1:8888, started as ../shared/cluster/kfp/README.md says",
    ),
]


class Kfp:
    """Runs plans as their users do, and reads what they have left on their volumes."""

    def __init__(self, kit, home):
        self.kit, self.home = kit, home
        self.runs = []
        self.cluster = Cluster.open(client=kit.client(), namespace=NAMESPACE)

    def run(self, plan, arguments, image=IMAGE, pods="each", journal="", **settings):
        """What a run did: as in pods of the tests, and as its follower has recorded it.

        ``journal`` is the claim with the journal, if that is not on the volume of the run.
        """
        backend = open_backend(
            "kubeflow",
            home=self.home,
            kfp_host=HOST,
            kfp_namespace=NAMESPACE,
            image=image,
            pods=pods,
            **(settings or {"marshal_volume_size": "64Mi"}),
        )
        began = time.monotonic()
        submitted = backend.submit(plan, arguments)
        id = submitted.record().data["kfp"]["run"]
        self.runs.append(id)
        state = submitted.follow()
        took = time.monotonic() - began
        record = submitted.record()
        (workflow,) = self.cluster.list(WORKFLOWS, labels=f"pipeline/runid={id}")
        claim = journal or record.data["kfp"]["claim"] or workflow["metadata"]["name"]
        home = folder_of(self, claim) / ".kalelite"
        kept = record.data["kfp"]["records"] or id
        if journal:
            objects = OBJECTS.glob(f"v2/artifacts/*/{id}/*/*/{KEPT}*")
            home = put_together(objects, self.home, kept)
            for name, task in record.tasks.items():
                folder = home / "runs" / kept / "tasks" / name
                if task.record and not folder.exists():
                    folder.mkdir()
                    record_file.commit(task.record, folder / "record.json")
        seen = seen_in(plan, outcome(plan, state, record), home, kept, arguments)
        ran = Ran(plan, seen, home, kept)
        written = journal_of(folder_of(self, claim))
        return SimpleNamespace(
            seen=seen, ran=ran, record=record, journal=written, seconds=round(took)
        )


def outcome(plan, state, record):
    """The end of a run, with the containers of its user, which leave no record on the volume."""
    ids = {task.id for task in plan.tasks if isinstance(task.step, ContainerDef)}
    tasks = record.tasks.values()
    ended = [task for task in tasks if task.record and task.name.partition("[")[0] in ids]
    attempts = [
        SimpleNamespace(
            task=task.name.partition("[")[0].replace("_", "-").lower(),
            code=0 if task.status == "succeeded" else 1,
        )
        for task in ended
    ]
    return SimpleNamespace(state=state, attempts=attempts, log=lambda: logs(record))


def logs(record):
    texts = ((task.name, task.log) for task in record.tasks.values())
    return "\n".join(f"[{name}]\n{log.read_text()}" for name, log in texts if log and log.exists())


@pytest.fixture
def kfp(kit, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", kit("kubeconfig"))
    made = Kfp(kit, tmp_path / "kfp")
    yield made
    for id in made.runs:  # their volumes go with them
        for each in made.cluster.list(WORKFLOWS, labels=f"pipeline/runid={id}"):
            made.cluster.delete(WORKFLOWS, each["metadata"]["name"])


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Load a program; its plan, and its arguments with a folder for the journal."""

    def given(path, folder):
        program = load(path)
        monkeypatch.setitem(sys.modules, "__main__", program)
        plan = program.main.plan()
        return program, plan, arguments_of(program, plan, folder)

    return given


@pytest.fixture(params=["each", "few"])
def pods(request):
    return request.param


@pytest.mark.parametrize("name", NAMES)
def test_a_program(name, pods, given, kfp, tmp_path, monkeypatch, record_property):
    path = PROGRAMS / f"{name}.py"
    program, plan, arguments = given(path, VOLUME)
    done = kfp.run(plan, arguments, pods=pods)
    record_property("seconds", done.seconds)
    hold(program, done.seen, done.journal)

    monkeypatch.chdir(tmp_path)
    _, plan, arguments = given(path, tmp_path)
    open_backend("local", home=tmp_path / "home").run(plan, arguments)
    here = Run.open(folder=tmp_path / "home")
    assert printed(done.ran.folder) == printed(here.folder)
    assert shown(done.record) == shown(here)


def shown(run):
    """What a user sees of a run's steps: how each has ended, in which attempt, why it failed."""
    seen = {}
    for name, task in run.tasks.items():
        failure = task.record.failure if task.record else None
        text = re.sub(r"[\d.]+ MiB", "… MiB", failure.message) if failure else ""
        why = (failure.type.rpartition(".")[2], text) if failure else None
        seen[name] = (task.status, task.record.attempt if task.record else 0, why)
    return seen


@pytest.mark.parametrize(
    "name", [*WITHOUT_A_VOLUME, "exit_handler_failure", "exit_handler_killed", "exits"]
)
def test_a_program_without_a_volume(name, pods, given, kfp, record_property):
    program, plan, arguments = given(PROGRAMS / f"{name}.py", VOLUME)
    claim = f"journal-{uuid.uuid4().hex[:8]}"
    resources = {"requests": {"storage": "16Mi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
    kfp.cluster.create(CLAIMS, {"metadata": {"name": claim}, "spec": spec})
    volume = Volume(claim, VOLUME)
    tasks = tuple(
        replace(task, options=replace(task.options, volumes=(volume,))) for task in plan.tasks
    )
    plan = replace(plan, tasks=tasks)
    try:
        done = kfp.run(plan, arguments, pods=pods, journal=claim, marshal="artifacts")
        record_property("seconds", done.seconds)
        hold(program, done.seen, done.journal)
    finally:
        kfp.cluster.delete(CLAIMS, claim)


@pytest.mark.parametrize("name", ["container", "container_files"])
def test_containers_of_the_users_own(name, given, kfp):
    path = PROGRAMS.parent / "compiled_only" / f"{name}.py"
    program, plan, arguments = given(path, VOLUME)
    tasks = tuple(
        replace(task, step=replace(task.step, image=IMAGE))
        if isinstance(task.step, ContainerDef)
        else task
        for task in plan.tasks
    )
    program.ATTEMPTS = {}  # KFP 2.17 as shipped tries no container again
    hold(program, kfp.run(replace(plan, tasks=tasks), arguments).seen, [])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example(path, pods, given, kfp, request, record_property):
    image = request.getfixturevalue("science_image") if path.stem in NEEDS else IMAGE
    if path.stem == "settings":  # what its options name
        resources = {"requests": {"storage": "16Mi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
        try:
            kfp.cluster.create(CLAIMS, {"metadata": {"name": "claim"}, "spec": spec})
        except ConflictError:
            pass
        kfp.kit("kubectl", "label", "node", "--all", "--overwrite", "disk=ssd")
    program, plan, arguments = given(path, VOLUME)
    done = kfp.run(plan, arguments, image=image, pods=pods)
    record_property("seconds", done.seconds)

    assert done.seen.state == getattr(program, "STATE", "succeeded"), done.seen.log
    if hasattr(program, "EXPECTED"):
        assert done.seen.value == program.EXPECTED
    hold_records(program, done.ran)
    if hasattr(program, "JOURNAL"):
        assert done.journal == program.JOURNAL
