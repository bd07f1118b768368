"""The task that runs before a pipeline's own steps: it makes the claims and brings the code."""

from __future__ import annotations

import json
import sys

import pytest
from conformance_programs import PROGRAMS, load
from harness import Harness

from kalelite.authoring.backends import open_backend
from kalelite.runs.pipeline_run import list_runs

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


PARAMETERS = load(PROGRAMS / "parameters.py").ARGUMENTS


@pytest.fixture
def run(tmp_path, kubernetes, bare_python, monkeypatch):
    """Compile a program and run it; the outcome."""

    def run(program="unpack", **settings):
        module = load(PROGRAMS / f"{program}.py")
        monkeypatch.setitem(sys.modules, "__main__", module)
        settings.setdefault("marshal_path", str(tmp_path / "mounts" / "marshal"))
        path = tmp_path / "pipeline.yaml"
        open_backend("kubeflow", **settings).compile(
            module.main.plan(), path, getattr(module, "ARGUMENTS", {})
        )
        return Harness(path, kubernetes, bare_python).run()

    return run


def test_one_task_makes_the_claim_and_brings_the_code(run, kubernetes):
    outcome = run()
    assert outcome.state == "succeeded", outcome.log()
    assert outcome.attempts[0].task == "kalelite-prepare"
    assert not any(attempt.task.startswith("kalelite") for attempt in outcome.attempts[1:])
    (claim,) = kubernetes.objects.values()
    assert claim["metadata"]["ownerReferences"][0]["kind"] == "Workflow"
    assert claim["metadata"]["labels"]["kalelite.dev/run"]
    assert kubernetes.pods == {}, "the pod that brought the code is gone"
    home = kubernetes.claims / "run-1" / ".kalelite"
    (bundle,) = (home / "code").glob("*.pyz")
    assert bundle.stat().st_mode & 0o777 == 0o644
    for folder in (home.parent, home, home / "store", home / "runs", home / "code"):
        assert folder.stat().st_mode & 0o777 == 0o777, folder


def test_a_lasting_claim_gets_the_code_from_the_task_itself(run, kubernetes):
    folder = kubernetes.claim("my-claim")
    mode = folder.stat().st_mode
    outcome = run(marshal_volume="my-claim")
    assert outcome.state == "succeeded", outcome.log()
    assert outcome.attempts[0].task == "kalelite-prepare"
    assert not any(attempt.task.startswith("kalelite") for attempt in outcome.attempts[1:])
    assert kubernetes.objects == {}
    assert folder.stat().st_mode == mode, "somebody else's volume keeps its mode"
    again = run(marshal_volume="my-claim")
    assert "is there" in again.log()


@pytest.mark.parametrize("lasting", [True, False])
def test_a_run_that_nobody_has_submitted_has_its_record_on_the_volume(run, kubernetes, lasting):
    if lasting:
        kubernetes.claim("my-claim")
    outcome = run("parameters", marshal_volume="my-claim" if lasting else True)
    assert outcome.state == "succeeded", outcome.log()
    home = kubernetes.claims / ("my-claim" if lasting else "run-1") / ".kalelite"
    (here,) = list_runs(folder=home)
    assert here.state == "running", "only Kubeflow knows its end: kalelite follow asks it"
    assert {task.status for task in here.tasks.values()} == {"succeeded"}
    assert here.parameters == PARAMETERS
    assert here.load("show")[0][2] == ("str", PARAMETERS["s"])
    assert (home / "runs" / here.data["kfp"]["run"]).resolve() == here.folder.resolve()


def test_code_that_changed_on_the_way_is_refused(run, kubernetes, monkeypatch):
    given = Harness.__init__

    def changed(self, *args):
        given(self, *args)
        text = json.dumps(kubernetes.workflow)
        begin = text.index("kalelite:") + 200
        kubernetes.workflow = json.loads(f"{text[:begin]}AAAA{text[begin + 4 :]}")

    monkeypatch.setattr(Harness, "__init__", changed)
    outcome = run()
    assert outcome.state == "failed"
    assert "is not the code that was sent" in outcome.log()
