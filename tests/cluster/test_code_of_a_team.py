"""Modules on a claim and in a ConfigMap, imported by steps in pods."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance_programs import load
from in_pods import folder_of, run_in_pods

from kalelite.volumes.resources import CONFIG_MAPS

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

if sys.version_info[:2] != (3, 11):
    pytest.skip("the pods' Python is 3.11, and steps run on that of who compiled them",
                allow_module_level=True)  # fmt: skip

TEXT = "def score(x): return x * {}\n"


@pytest.mark.timeout(300)
def test_steps_import_what_is_mounted(runs, tmp_path, monkeypatch):
    data = {"team_small.py": TEXT.format(10)}
    runs.cluster.create(CONFIG_MAPS, {"metadata": {"name": "team-code"}, "data": data})
    runs.claim("team-code")
    package = folder_of(runs, "team-code") / "src" / "team_large"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "rates.py").write_text(TEXT.format(2))

    program = load(Path(__file__).with_name("team_pipeline.py"))
    monkeypatch.setitem(sys.modules, "__main__", program)
    seen = run_in_pods(program.main.plan(), {}, runs, tmp_path).seen

    assert seen.state == "succeeded", seen.log
    assert seen.value == 60
