"""Programs and plans for the tests of the Kubeflow backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubeflow_scripts import compile_script

WITHOUT_KFP = ("test_workflow_size", "test_outputs")


@pytest.fixture(autouse=True)
def kfp(request):
    """Most of these tests compile."""
    if request.module.__name__ not in WITHOUT_KFP:
        pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


@pytest.fixture
def compiled(tmp_path):
    """Compile a script's pipeline; the path of the YAML file."""
    return lambda script, **settings: compile_script(script, tmp_path, **settings)[1]


@pytest.fixture
def write_script(tmp_path):
    """Write a script and give its path."""

    def write(text: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def kfp_server():
    """A small API of Kubeflow Pipelines, to which runs are submitted."""
    from kfp_server import serving

    with serving() as server:
        yield server
