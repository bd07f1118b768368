"""Programs and plans for the tests of the Kubeflow backend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kubeflow_scripts import pipeline_in

WITHOUT_KFP = ("test_stage", "test_workflow_size", "test_outputs")


@pytest.fixture(autouse=True)
def kfp(request):
    """Most of these tests compile."""
    if request.module.__name__ not in WITHOUT_KFP:
        pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Compile a script's pipeline; the path of the YAML file."""

    def compile_script(script: Path, **settings):
        from kalelite.backends.kubeflow.compile.build import compile_plan

        module, pipeline = pipeline_in(script)
        monkeypatch.setitem(sys.modules, "__main__", module)
        path = tmp_path / "out.yaml"
        compile_plan(pipeline.plan(), path, **settings)
        return path

    return compile_script


@pytest.fixture
def write_script(tmp_path):
    """Write a script and give its path."""

    def write(text: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
