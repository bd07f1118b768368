"""Scripts as programs: what a script defines, as if it had been run."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path


def pipeline_in(path: Path):
    """The pipeline of a script, defined as in its own ``__main__``, and the module to keep there."""
    from kalelite.authoring.pipeline import pipelines_of

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


def compile_script(script: Path, folder: Path, **settings):
    """What a script's pipeline compiles to, and the YAML file in the folder."""
    from kalelite.backends.kubeflow.compile.build import compile_plan

    module, pipeline = pipeline_in(script)
    path = folder / "out.yaml"
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        return compile_plan(pipeline.plan(), path, **settings), path
    finally:
        sys.modules["__main__"] = before
