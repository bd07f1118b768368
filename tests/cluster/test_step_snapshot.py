"""A snapshot between steps: taken by a step of a run, in its pod."""

from __future__ import annotations

import base64
import json

import pytest
from keeping_pipeline import keeping
from lab import wait

from kalelite.backends.kubeflow.compile.build import code_of
from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.volumes.discover import notebook
from kalelite.volumes.past_snapshots import list_snapshots, read_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import CONFIG_MAPS, SNAPSHOTS
from kalelite.volumes.wishes import Wishes

pytestmark = pytest.mark.timeout(300)  # several pods one after the other
RIGHTS = (
    ([""], ["pods", "persistentvolumeclaims"], ["get"]),
    (["snapshot.storage.k8s.io"], ["volumesnapshots"], ["create", "get"]),
)
INPUT = json.dumps(
    {
        "inputs": {"parameterValues": {"run": "r1"}},
        "outputs": {"parameters": {"output": {"outputFile": "/tmp/output"}}},
    }
)


@pytest.fixture
def run_step(lab):
    """Runs the step as KFP does: the bundle, the task, and the name of the pod in a variable."""
    code = base64.b64encode(code_of(keeping.plan(), Settings()).bundle()).decode()
    lab.cluster.create(CONFIG_MAPS, {"metadata": {"name": "code"}, "binaryData": {"c.pyz": code}})
    volume = {"name": "code", "configMap": {"name": "code"}}
    mount = {"name": "code", "mountPath": "/code"}

    def run(pod, *, claims, task="snapshot", more=()):
        command = ["python3", "/code/c.pyz", "run", "--task", task, "--home", "/work/.kalelite"]
        command += ["--work", "/work", *more, "--executor-input", INPUT]
        env = [{"name": "KFP_POD_NAME", "value": pod}]
        lab.pod(pod, command, claims, volumes=[volume], mounts=[mount], env=env)
        return lab.finished(pod)

    return run


def class_of(lab, name):
    return lab.cluster.get(SNAPSHOTS, name)["spec"]["volumeSnapshotClassName"]


def test_a_step_takes_one_and_a_run_starts_from_it(lab, run_step):
    lab.claim("work")
    lab.claim("data")
    lab.output("before", "echo before > /work/line", {"/work": "work"})
    lab.pod("nb-0", claims={"/work": "work", "/data": "data"}, workingDir="/work")
    book = notebook(lab.cluster, "nb-0")
    made = prepare_volumes(lab.cluster, "r1", book, Wishes(snapshot_class="dir-no-size"))
    claims = {each.path: each.claim for each in made.clones}
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *RIGHTS)
    phase, text = run_step("train", claims=claims, task="train")
    assert phase == "Succeeded", text
    lab.output("trained", "echo trained > /work/line", claims)

    phase, text = run_step("keep", claims=claims)

    assert phase == "Succeeded", text
    (kept,) = [each for each in list_snapshots(lab.cluster) if each.step]
    assert (kept.run, kept.step, kept.ready) == ("r1", "snapshot", True)
    assert f"snapshot {kept.id} of claim {claims['/work']}, which holds /work" in text

    assert class_of(lab, kept.id) == "dir-no-size", "as the one that the volume is a clone of"

    phase, text = run_step("slow", claims=claims, task="snapshot-2")
    assert phase == "Succeeded", text
    (other,) = [each for each in list_snapshots(lab.cluster) if each.step == "snapshot-2"]
    assert class_of(lab, other.id) == "dir-slow"

    later = read_snapshots(lab.cluster, kept.id)
    assert {each.volume.path: each.name == kept.id for each in later.snapshots} == {
        "/work": True,
        "/data": False,
    }
    clones = prepare_volumes(lab.cluster, "r2", later, Wishes()).clones
    assert {each.path: each.workspace for each in clones} == {"/work": True, "/data": False}
    there = {each.path: each.claim for each in clones}
    assert lab.output("reader", "cat /work/line", there) == "trained"
    first = read_snapshots(lab.cluster, "r1")
    assert kept.id not in {each.name for each in first.snapshots}, "those of its start are others"


@pytest.mark.parametrize(
    ("rights", "on_claim", "message"),
    [
        (RIGHTS, False, "is on no volume of the run"),
        (RIGHTS[:1], True, "cannot create resource"),
    ],
)
def test_what_prevents_it_is_told(lab, run_step, rights, on_claim, message):
    lab.claim("work")
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *rights)
    phase, text = run_step("train", claims={"/work": "work"}, task="train")
    assert phase == "Succeeded", text
    claims = {"/work" if on_claim else "/work/.kalelite": "work"}

    phase, text = run_step("keep", claims=claims)

    assert phase == "Failed"
    assert message in text
    assert "Traceback" not in text or "ClusterError" in text
    wait("nothing left", lambda: lab.ours() == [])


def test_the_first_step_looks_for_the_mark_of_a_clone_and_later_ones_do_not(lab, run_step):
    lab.claim("work")
    claims, mark = {"/work": "work"}, ["--mark=/work=s1"]

    phase, text = run_step("empty", claims=claims, task="train", more=mark)
    assert phase == "Failed"
    assert "the volume at /work is not the clone of the snapshot of run s1" in text

    made = "mkdir /work/.kalelite-snapshots; printf s1 > /work/.kalelite-snapshots/s1"
    lab.output("marking", made, claims)
    phase, text = run_step("first", claims=claims, task="train", more=mark)
    assert phase == "Succeeded", text
    lab.output("tidying", "rm -r /work/.kalelite-snapshots", claims)
    phase, text = run_step("later", claims=claims, task="train", more=mark)
    assert phase == "Succeeded", text
