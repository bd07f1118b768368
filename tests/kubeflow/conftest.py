"""Programs and plans for the tests of the Kubeflow backend."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

HERE = Path(__file__).parent
PROGRAMS = HERE.parent / "conformance"
EXAMPLES = HERE.parent.parent / "notebooks"


def pipeline_in(path: Path):
    """The pipeline of a script, defined as in its own ``__main__``, and the module to keep there."""
    from kalelite.plan.trace import pipelines_of

    spec = importlib.util.spec_from_file_location("__main__", path)
    module = importlib.util.module_from_spec(spec)
    tree = ast.parse(path.read_text())
    # The block that runs the pipeline stays out.
    tree.body = [node for node in tree.body if "__main__" not in ast.unparse(node)[:40]]
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)
    finally:
        sys.modules["__main__"] = before
    found = module.__dict__.get("main")
    return module, found or pipelines_of(module.__dict__)[-1]


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Compile a script's pipeline; the path of the YAML file."""

    def compile_script(script: Path, **settings):
        from kalelite.backends.kubeflow import compile_plan

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
