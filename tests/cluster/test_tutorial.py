"""From the notebook to the cluster, as a user goes: the tutorial and a script with data of its own."""

from __future__ import annotations

import pytest
from in_pods import folder_of, know
from kubeflow import serving_pods
from lab import ROOT, wait
from test_notebook_to_run import KALELITE, MOUNT, PYTHONPATH
from test_notebook_to_run import RIGHTS as SNAPSHOTS

from kalelite.backends.kubeflow.submit.run_owner import WORKFLOWS
from kalelite.volumes.resources import CLAIMS, PODS

pytestmark = pytest.mark.timeout(600)  # the image is made once

RIGHTS = (
    *SNAPSHOTS,
    ([""], ["pods"], ["get", "list", "create", "delete"]),
    ([""], ["pods/log", "pods/proxy"], ["get"]),
    ([""], ["configmaps"], ["patch"]),
    (["argoproj.io"], ["workflows"], ["get", "list"]),
)
HELPERS = """
def scaled(rows, factor):
    return [row * factor for row in rows]
"""
SCRIPT = """
from pathlib import Path

import numpy as np
from helpers import scaled
from kalelite import Collected, ParallelFor, pipeline, step

@step
def read(path: str) -> list:
    return [float(line) for line in Path(path).read_text().split()]

@step
def weigh(rows, factor):
    print("weighing by", factor)
    Path(f"weight-{factor}.txt").write_text(str(factor))
    return np.array(scaled(rows, factor))

@step
def total(parts):
    written = sorted(path.name for path in Path().glob("weight-*.txt"))
    return float(np.sum(parts)), written, str(Path.cwd())

@pipeline
def weights(path: str = "/data/rows.txt", factors: list = [1, 10]):
    rows = read(path)
    with ParallelFor(factors) as factor:
        part = weigh(rows, factor)
    return total(Collected(part))

if __name__ == "__main__":
    print("GAVE", weights())
"""
BROKEN = """
from kalelite import pipeline, step

@step
def divide(by: int):
    print("dividing")
    return 1 / by

@step
def after(x):
    return x

@pipeline
def broken():
    after(divide(0))
"""
SESSION = """
set -e
mkdir -p project; cd project
cp /opt/notebooks/tutorial.py .
touch helpers.py /data/rows.txt
printf %s "$SCRIPT" > weights.py
printf %s "$BROKEN" > broken.py
python3 -m kalelite tutorial.py --kfp
printf %s "$HELPERS" > helpers.py
printf '1\\n2\\n' > /data/rows.txt
python3 -m kalelite weights.py --kfp
python3 -m kalelite logs last weigh
python3 -m kalelite broken.py --kfp || echo "EXIT $?"
python3 -m kalelite runs
"""


def test_a_notebook_submits_the_tutorial_and_a_script_with_data(lab, science_image, tmp_path):
    know(lab, WORKFLOWS)
    lab.claim("work", "dir-late", bound=False)
    lab.claim("data")
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *RIGHTS)
    with serving_pods(lab, tmp_path) as kfp:

        def change() -> None:
            """While a run waits for its first pod, the user works on."""
            (folder_of(lab, "data") / "rows.txt").write_text("5")
            (folder_of(lab, "work") / "project" / "helpers.py").write_text("raise SystemExit")

        kfp.before_run = change
        env = {
            "NB_PREFIX": f"/notebook/{lab.namespace}/nb",
            "KALELITE_KFP_HOST": kfp.host,
            "HELPERS": HELPERS,
            "SCRIPT": SCRIPT,
            "BROKEN": BROKEN,
        }
        books = {"name": "books", "hostPath": {"path": str(ROOT / "notebooks")}}
        lab.pod(
            "nb-0",
            SESSION,
            {"/home/jovyan": "work", "/data": "data"},
            volumes=[KALELITE, books],
            mounts=[MOUNT, {"name": "books", "mountPath": "/opt/notebooks", "readOnly": True}],
            pod={"securityContext": {"fsGroup": 100, "runAsUser": 1000, "runAsGroup": 100}},
            image=science_image,
            workingDir="/home/jovyan",
            env=[PYTHONPATH, *({"name": k, "value": v} for k, v in env.items())],
        )
        phase, text = lab.finished("nb-0", 400)
        pods = lab.cluster.list(PODS)
    print(text)
    assert phase == "Succeeded", text
    assert "model-training │ [1 1 1 0 1 1 1 0 0 0]" in text
    assert "GAVE (33.0, ['weight-1.txt', 'weight-10.txt'], '/home/jovyan/project')" in text
    assert "── weigh[1]\nweighing by 10" in text
    for line in (
        "return 1 / by",
        "ZeroDivisionError: division by zero",
        "not run: after",
        "EXIT 1",
    ):
        assert line in text
    assert "until kalelite clean removes it" not in text

    steps = [pod for pod in pods if pod["metadata"]["name"].startswith("w-")]
    assert len(steps) == 3 + 5 + 1, "a pod for each step, one for the items of the loop"
    mounted = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in steps
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert len(mounted) == 6 and not mounted & {"work", "data"}, "each run has clones of its own"
    for workflow in lab.cluster.list(WORKFLOWS):
        lab.cluster.delete(WORKFLOWS, workflow["metadata"]["name"])
    wait("the clones went with the runs", lambda: len(lab.cluster.list(CLAIMS)) == 2)
