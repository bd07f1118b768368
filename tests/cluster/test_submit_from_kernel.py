"""``study.submit(...)`` in a kernel: in the notebook's own pod with its volume, and to a real KFP."""

from __future__ import annotations

import os

import pytest
from in_pods import folder_of, know
from kubeflow import serving_pods
from lab import IMAGE, wait
from test_notebook_to_run import KALELITE, MOUNT, PYTHONPATH
from test_tutorial import RIGHTS

from kalelite.backends.kubeflow.submit.run_owner import WORKFLOWS
from kalelite.runs.pipeline_run import Run
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.resources import CLAIMS

nbclient = pytest.importorskip(
    "nbclient", reason="needs nbclient: pip install 'kalelite[notebook]'"
)
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)
pytestmark = [
    pytest.mark.timeout(900),  # the image is made once
    pytest.mark.filterwarnings("ignore"),  # the kernel's and the client's own
]

HOST = os.environ.get("KALELITE_KFP_HOST", "")
NAMESPACE = os.environ.get("KALELITE_KFP_NAMESPACE", "kubeflow")
KERNEL_IMAGE = "localhost/kalelite-tests/kernel:1"
PACKAGES = "kubernetes>=24,<31 kfp[kubernetes] rich cloudpickle ipykernel nbclient"
DEFINED = """
import time
from pathlib import Path

from kalelite import pipeline, step

@step
def load(file: str):
    return [float(n) for n in (Path(file).read_text() if file else "1 2 3").split()]

@step
def train(rows, epochs: int):
    print("training on", len(rows), "rows")
    return {"weights": [epochs * n for n in rows]}

@step
def never():
    time.sleep(900)

@pipeline
def study(epochs: int = 1, file: str = ""):
    model = train(load(file), epochs)
    return model

@pipeline
def endless():
    never()
"""
EXECUTE = """
import nbclient, nbformat
book = nbformat.read("book.ipynb", 4)
nbclient.NotebookClient(book, timeout=300, allow_errors=True).execute()
nbformat.write(book, "book.ipynb")
"""
SUBMITTED = (
    DEFINED,
    "run = study.submit(epochs=3FILE)\nrun",
    "run.wait()",
    'run.value("train.model")',
    'run.logs("train")',
)
CANCELLED = (
    "stopped = endless.submit()\nstopped",
    "stopped.cancel()\nstopped.wait()",
    "stopped.state",
)


def notebook(*cells, argument=""):
    made = [nbformat.v4.new_code_cell(cell.replace("FILE", argument)) for cell in cells]
    return nbformat.v4.new_notebook(cells=made)


def hold_submitted(cells, weights):
    """The run has shown itself live, and has given its value and what its steps printed."""
    defined, submitted, waited, value, logs = (cell.outputs for cell in cells)
    assert defined == []
    (live,) = (each for each in submitted if each.output_type == "display_data")
    assert "✓ succeeded" in live.data["text/html"]
    assert "✓ succeeded" in waited[0].data["text/html"]
    assert value[0].data["text/plain"] == repr({"weights": weights})
    assert "training on" in logs[0].data["text/plain"]


def hold_cancelled(cells):
    """The run has shown that it was cancelled from another cell."""
    begun, cancelled, states = (cell.outputs for cell in cells)
    assert cancelled[-1].ename == "StepError"
    assert "was cancelled" in cancelled[-1].evalue
    (stopped,) = (each for each in begun if each.output_type == "display_data")
    assert "cancelled" in stopped.data["text/html"]
    assert states[0].data["text/plain"].strip("'") == "cancelled"


@pytest.fixture(scope="session")
def kernel_image(kit):
    """Python with a kernel and what submits; kalelite itself is mounted."""
    if KERNEL_IMAGE not in kit("kubectl", "get", "nodes", "-o", "yaml"):
        kit("python-image", KERNEL_IMAGE, *PACKAGES.split())
    return KERNEL_IMAGE


def test_in_the_notebooks_own_pod(lab, kernel_image, tmp_path):
    know(lab, WORKFLOWS)
    lab.claim("work", "dir-late", bound=False)
    lab.grant(f"system:serviceaccount:{lab.namespace}:default", *RIGHTS)
    text = nbformat.writes(notebook(*SUBMITTED, argument=', file="rows.txt"'))
    session = """
    mkdir project; cd project
    printf '4 5' > rows.txt; printf %s "$BOOK" > book.ipynb
    printf %s "$EXECUTE" | python3
    """
    with serving_pods(lab, tmp_path) as kfp:
        env = {
            "NB_PREFIX": "/notebook/x/nb",
            "KALELITE_KFP_HOST": kfp.host,
            "BOOK": text,
            "EXECUTE": EXECUTE,
        }
        lab.pod(
            "nb-0",
            session,
            {"/home/jovyan": "work"},
            volumes=[KALELITE],
            mounts=[MOUNT],
            pod={"securityContext": {"fsGroup": 100, "runAsUser": 1000, "runAsGroup": 100}},
            image=kernel_image,
            workingDir="/home/jovyan",
            env=[
                PYTHONPATH,
                {"name": "HOME", "value": "/home/jovyan"},
                *({"name": name, "value": value} for name, value in env.items()),
            ],
        )
        phase, text = lab.finished("nb-0", 600)
    assert phase == "Succeeded", text

    book = nbformat.read(folder_of(lab, "work") / "project" / "book.ipynb", 4)
    hold_submitted(book.cells, [12.0, 15.0])
    for workflow in lab.cluster.list(WORKFLOWS):
        lab.cluster.delete(WORKFLOWS, workflow["metadata"]["name"])
    wait("the clones went with the runs", lambda: len(lab.cluster.list(CLAIMS)) == 1)


@pytest.mark.skipif(
    not HOST,
    reason="needs a Kubeflow Pipelines on the cluster of the tests:"
    " KALELITE_KFP_HOST=http://127.0.0.1:8888, started as ../shared/cluster/kfp/README.md says",
)
def test_to_a_real_kfp(kit, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", kit("kubeconfig"))
    monkeypatch.setenv("KALELITE_KFP_NAMESPACE", NAMESPACE)
    monkeypatch.setenv("KALELITE_IMAGE", IMAGE)
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path))
    book = notebook(*SUBMITTED, *CANCELLED)
    client = nbclient.NotebookClient(book, timeout=600, allow_errors=True)
    try:
        client.execute()
    finally:
        nbformat.write(book, tmp_path / "book.ipynb")
        cluster = Cluster.open(client=kit.client(), namespace=NAMESPACE)
        for folder in (tmp_path / "runs").iterdir():
            id = Run.open(folder.name, folder=tmp_path).data["kfp"]["run"]
            for each in cluster.list(WORKFLOWS, labels=f"pipeline/runid={id}"):
                cluster.delete(WORKFLOWS, each["metadata"]["name"])
    hold_submitted(book.cells[: len(SUBMITTED)], [3.0, 6.0, 9.0])
    hold_cancelled(book.cells[len(SUBMITTED) :])
