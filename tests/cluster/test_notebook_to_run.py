"""A notebook's user takes snapshots in a terminal, and a run works with clones of them."""

from __future__ import annotations

import inspect
import json

import pytest
from lab import ROOT

from kalelite.volumes import provision
from kalelite.volumes.discover import notebook
from kalelite.volumes.past_snapshots import read_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.provision import RUN_LABEL
from kalelite.volumes.resources import CLAIMS
from kalelite.volumes.wishes import Wishes

pytestmark = pytest.mark.timeout(300)  # the image is made once

NOTEBOOK_IMAGE = "localhost/kalelite-tests/notebook:1"
KALELITE = {"name": "kalelite", "hostPath": {"path": str(ROOT / "kalelite")}}
MOUNT = {"name": "kalelite", "mountPath": "/opt/kalelite", "readOnly": True}
PYTHONPATH = {"name": "PYTHONPATH", "value": "/opt"}
RIGHTS = (
    ([""], ["pods"], ["get"]),
    ([""], ["events"], ["list"]),
    ([""], ["persistentvolumeclaims"], ["create", "get", "delete"]),
    ([""], ["configmaps"], ["create", "get", "delete"]),
    (["snapshot.storage.k8s.io"], ["volumesnapshots"], ["create", "get", "list", "delete"]),
)
SESSION = """
set -e
mkdir project; cd project
echo before > work; echo before > /data/line
python3 -m kalelite snapshot --output json --snapshot-class dir
echo after > work; echo after > /data/line
ls -a /home/jovyan /data >&2
"""


@pytest.fixture(scope="session")
def notebook_image(kit):
    """Python with what the command needs; kalelite itself is mounted."""
    if NOTEBOOK_IMAGE not in kit("kubectl", "get", "nodes", "-o", "yaml"):
        kit("python-image", NOTEBOOK_IMAGE, "kubernetes>=24,<31", "rich")
    return NOTEBOOK_IMAGE


def test_from_the_notebook_to_pods_of_the_run(lab, notebook_image):
    lab.claim("work", "dir-late", bound=False)
    lab.claim("data")
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *RIGHTS)
    lab.pod(
        "nb-0",
        SESSION,
        {"/home/jovyan": "work", "/data": "data"},
        volumes=[KALELITE],
        mounts=[MOUNT],
        pod={"securityContext": {"fsGroup": 100, "runAsUser": 1000, "runAsGroup": 100}},
        image=notebook_image,
        workingDir="/home/jovyan",
        env=[PYTHONPATH, {"name": "NB_PREFIX", "value": f"/notebook/{lab.namespace}/nb"}],
    )
    phase, text = lab.finished("nb-0", 240)
    assert phase == "Succeeded", text
    answer = next(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    assert ".kalelite" not in text.partition("\n/home/jovyan:")[2], "no mark is left behind"

    taken = read_snapshots(lab.cluster, answer["snapshots"]["run"])
    assert (taken.user, taken.group, taken.directory) == (1000, 100, "/home/jovyan/project")
    assert [each.marked for each in taken.snapshots] == [True, True]

    wishes = Wishes(marshal_volume=True, marshal_volume_size="16Mi", access_mode="rwx")
    made = prepare_volumes(lab.cluster, "run-1", taken, wishes)
    claims = {each.path: each.claim for each in (*made.clones, made.marshal)}
    assert list(claims) == ["/data", "/home/jovyan", "/marshal"]
    run = taken.run
    verify = f"from kalelite.volumes.marker import verify as v; v('/data', '{run}'); v('/home/jovyan', '{run}')"
    reads = f"""
        cat project/work /data/line
        python3 -c "{verify}" && echo it is the clone
        echo mine > project/work && echo result > /marshal/value && cat project/work
    """
    pod = {"securityContext": {"fsGroup": 100, "runAsUser": 2000, "runAsGroup": 100}}
    more = {"volumes": [KALELITE], "mounts": [MOUNT], "env": [PYTHONPATH], "pod": pod}
    out = lab.output("step-1", reads, claims, workingDir="/home/jovyan", **more)
    assert out.splitlines() == ["before", "before", "it is the clone", "mine"]
    pod["securityContext"]["runAsUser"] = 3000
    assert (
        lab.output("step-2", "cat /marshal/value && touch /marshal/new", claims, **more) == "result"
    )
    assert lab.output("later", "cat /home/jovyan/project/work", {"/home/jovyan": "work"}) == "after"


def test_an_empty_volume_in_the_place_of_a_clone_is_seen_by_the_first_step(lab, notebook_image):
    lab.claim("data")
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *RIGHTS)
    lab.pod(
        "nb-0",
        "echo before > /data/line; python3 -m kalelite snapshot --output json --snapshot-class dir",
        {"/data": "data"},
        volumes=[KALELITE],
        mounts=[MOUNT],
        image=notebook_image,
        workingDir="/data",
        env=[PYTHONPATH],
    )
    phase, text = lab.finished("nb-0", 240)
    assert phase == "Succeeded", text
    run = next(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    taken = read_snapshots(lab.cluster, run["snapshots"]["run"])
    made = prepare_volumes(lab.cluster, "run-1", taken, Wishes(storage_class="dir-empty-clone"))
    verify = f"from kalelite.volumes.marker import verify; verify('/data', '{taken.run}')"
    lab.pod(
        "step",
        f'python3 -c "{verify}"',
        {"/data": made.clones[0].claim},
        volumes=[KALELITE],
        mounts=[MOUNT],
        env=[PYTHONPATH],
    )
    phase, text = lab.finished("step")

    assert phase == "Failed"
    assert f"not the clone of the snapshot of run {taken.run}" in text
    assert "made an empty volume in its place" in text


def test_a_step_of_the_run_makes_the_clone(lab):
    """As in a recurring run: with nothing but Python and the pod's own account."""
    lab.claim("data")
    lab.output("before", "echo before > /data/line", {"/data": "data"})
    lab.pod("nb-0", claims={"/data": "data"})
    book = notebook(lab.cluster, "nb-0")
    wishes = Wishes(snapshot_class="dir", clones=False)
    snapshot = prepare_volumes(lab.cluster, "s1", book, wishes).snapshots.snapshots[0]
    lab.grant(
        f"system:serviceaccount:{lab.namespace}:default",
        ([""], ["pods"], ["get"]),
        ([""], ["persistentvolumeclaims"], ["create", "get", "delete"]),
    )
    program = f"""{inspect.getsource(provision)}
api = PodApi()
clone = {{"size": "16Mi", "modes": ["ReadWriteOnce"], "storage_class": "dir", "run": "r1"}}
claim = claim_manifest("run-1-1", **clone, snapshot={snapshot.name!r}, owner=owner_of(api))
made = create(api, claim)
assert keeps_source(claim, made)
print(made["metadata"]["name"])
"""
    for attempt in ("create-1", "create-2"):  # the second is a retry
        names = {"KFP_POD_NAME": attempt, "HOSTNAME": "cut"}
        env = [{"name": key, "value": value} for key, value in names.items()]
        lab.pod(attempt, ["python3", "-c", program], env=env)
        phase, text = lab.finished(attempt)
        assert (phase, text.strip()) == ("Succeeded", "run-1-1"), text

    claim = lab.cluster.get(CLAIMS, "run-1-1")
    assert claim["metadata"]["labels"][RUN_LABEL] == "r1"
    assert lab.output("reader", "cat /data/line", {"/data": "run-1-1"}) == "before"
