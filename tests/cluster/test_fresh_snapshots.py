"""Runs that recur on the volumes as they are: each takes its own snapshots, in its first pod."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance_programs import load
from in_pods import folder_of, run_in_pods

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.recur.recurring_volumes import with_snapshots
from kalelite.volumes.resources import CLAIMS, SNAPSHOTS

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

if sys.version_info[:2] != (3, 11):
    pytest.skip("the pods' Python is 3.11, and steps run on that of who compiled them",
                allow_module_level=True)  # fmt: skip

ENVIRON = {"NB_PREFIX": "/notebook/x", "HOSTNAME": "nb-0"}


@pytest.mark.timeout(600)
def test_each_run_clones_the_volumes_as_they_are_when_it_starts(runs, tmp_path, monkeypatch):
    runs.claim("nb-data")
    runs.pod("nb-0", claims={"/data": "nb-data"})
    made = with_snapshots(runs.cluster, "fresh", Settings(), [].append, fresh=True, environ=ENVIRON)
    assert [(each.claim, each.snapshot) for each in made.clones] == [("nb-data", "")]
    assert runs.cluster.list(SNAPSHOTS) == []

    program = load(Path(__file__).with_name("recurring_pipeline.py"))
    monkeypatch.setitem(sys.modules, "__main__", program)
    seen = []
    for text in ("one", "two"):
        (folder_of(runs, "nb-data") / "line").write_text(text)
        settings = {"clones": made.clones, "marshal_volume": True, "run_as_user": 0}
        ran = run_in_pods(program.main.plan(), {}, runs, tmp_path, outside=False, **settings)
        assert ran.seen.state == "succeeded", ran.seen.log
        seen.append(ran.seen.value)

    assert seen == ["one", "two"]
    taken = runs.cluster.list(SNAPSHOTS)
    owners = [each["metadata"]["ownerReferences"][0] for each in taken]
    assert [owner["kind"] for owner in owners] == ["Workflow", "Workflow"]
    assert len({owner["uid"] for owner in owners}) == 2
    sources = [
        claim["spec"].get("dataSource", {}).get("name") for claim in runs.cluster.list(CLAIMS)
    ]
    assert {each["metadata"]["name"] for each in taken} <= set(sources)
