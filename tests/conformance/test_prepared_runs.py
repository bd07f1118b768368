"""The task that runs before a pipeline's own steps: it makes the claims and brings the code."""

from __future__ import annotations

import json
import sys

import pytest
from conformance_programs import PROGRAMS, load
from harness import Harness

from kalelite.authoring.backends import open_backend

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


@pytest.fixture
def run(tmp_path, kubernetes, bare_python, monkeypatch):
    """Compile a program and run it; the outcome."""
    module = load(PROGRAMS / "unpack.py")
    monkeypatch.setitem(sys.modules, "__main__", module)

    def run(**settings):
        settings.setdefault("marshal_path", str(tmp_path / "mounts" / "marshal"))
        path = tmp_path / "pipeline.yaml"
        open_backend("kubeflow", **settings).compile(module.main.plan(), path, {})
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
