"""Every example's compiled pipeline, held to the one that was looked at.

After a change that is meant: ``KALELITE_REGENERATE=1 pytest tests/backends/kubeflow``, and read the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
GOLDENS = HERE / "goldens"
SCRIPTS = sorted(
    [
        *(HERE.parents[2] / "conformance" / "programs").glob("*.py"),
        *(HERE.parents[2] / "conformance" / "compiled_only").glob("*.py"),
        *(HERE.parents[3] / "notebooks").glob("*.py"),
    ],
    key=lambda path: path.stem,
)
REGENERATE = os.environ.get("KALELITE_REGENERATE") == "1"


def masked(documents):
    """The pipeline without what changes with the code, with kfp's version and with Python's."""

    def mask(value):
        if isinstance(value, dict):
            return {key: mask(item) for key, item in value.items()}
        if isinstance(value, list):
            items = [mask(item) for item in value]
            return [
                item for n, item in enumerate(items) if item != "<base64>" or items[n - 1] != item
            ]
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"[A-Za-z0-9+/=]{200,}", value):
            return "<base64>"
        value = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", value)
        value = re.sub(r"\b[0-9a-f]{16}\.pyz", "<code>.pyz", value)
        value = re.sub(r"^kfp-[0-9.]+$", "kfp-<version>", value)
        return re.sub(r"^python:3\.\d+$", "python:<minor>", value)

    return mask(documents)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_compiles_to_the_golden(script, compiled):
    path = compiled(script)
    documents = list(yaml.safe_load_all(path.read_text()))
    check_schema(documents)
    text = yaml.safe_dump_all(masked(documents), sort_keys=True, width=100, allow_unicode=True)
    golden = GOLDENS / f"{script.stem}.yaml"
    if REGENERATE:
        golden.write_text(text)
    assert golden.exists(), "no golden yet: KALELITE_REGENERATE=1 pytest tests/backends/kubeflow"
    assert text == golden.read_text()


def test_no_golden_without_an_example():
    assert {path.stem for path in GOLDENS.glob("*.yaml")} == {path.stem for path in SCRIPTS}


def check_schema(documents):
    """KFP's protocol buffers take every field, and know no other one."""
    from google.protobuf import json_format
    from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
    from kfp.pipeline_spec import pipeline_spec_pb2

    pipeline, platform = documents
    json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(pipeline["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) <= set(pipeline["deploymentSpec"]["executors"])
    for config in executors.values():
        json_format.ParseDict(config, KubernetesExecutorConfig())


def test_kfp_loads_what_was_compiled(compiled):
    from kfp import components

    script = HERE.parents[2] / "conformance" / "programs" / "if_else.py"
    loaded = components.load_component_from_file(str(compiled(script)))
    assert set(loaded.component_spec.inputs) == {"x"}
