"""Every example's compiled graph, and the whole pipeline of a few, held to what was looked at.

After a change that is meant: ``KALELITE_REGENERATE=1 pytest tests/backends/kubeflow``, and read the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from graph_text import graph_text, masked
from kubeflow_scripts import compile_script

HERE = Path(__file__).parent
GOLDENS = HERE / "goldens"
CONFORMANCE = HERE.parents[2] / "conformance"
SCRIPTS = sorted(
    [
        *(CONFORMANCE / "programs").glob("*.py"),
        *(CONFORMANCE / "compiled_only").glob("*.py"),
        *(HERE.parents[3] / "notebooks").glob("*.py"),
    ],
    key=lambda path: path.stem,
)
WHOLE = ("container", "exit_handler_failure", "loop_over_result", "nested_pipeline", "options")
"""Between them they have every kind of block, of input, and of option."""

BY_NAME = {script.stem: script for script in SCRIPTS}


def check(golden: Path, text: str) -> None:
    if os.environ.get("KALELITE_REGENERATE"):
        golden.write_text(text, "utf-8")
    assert golden.exists(), "no golden yet: KALELITE_REGENERATE=1 pytest tests/backends/kubeflow"
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_compiles_to_the_graph_that_was_looked_at(script, tmp_path):
    compiled, path = compile_script(script, tmp_path)

    check(GOLDENS / f"{script.stem}.txt", graph_text(compiled.root, compiled.components))
    check_documents(list(yaml.safe_load_all(path.read_text())))
    check_kfp_loads(path)


@pytest.mark.parametrize("name", WHOLE)
def test_compiles_to_the_pipeline_that_was_looked_at(name, tmp_path):
    _, path = compile_script(BY_NAME[name], tmp_path)
    documents = [without_versions(each) for each in yaml.safe_load_all(path.read_text())]

    text = yaml.safe_dump_all(documents, sort_keys=True, width=100, allow_unicode=True)
    check(GOLDENS / f"{name}.yaml", text)


@pytest.mark.parametrize("name", WHOLE)
def test_compiles_to_the_same_bytes_again(name, tmp_path):
    first = compile_script(BY_NAME[name], tmp_path)[1].read_bytes()
    assert compile_script(BY_NAME[name], tmp_path)[1].read_bytes() == first


def test_no_golden_without_an_example():
    assert {path.name for path in GOLDENS.iterdir()} == {
        *(f"{name}.txt" for name in BY_NAME),
        *(f"{name}.yaml" for name in WHOLE),
    }


def without_versions(value):
    """The pipeline without what changes with the code, with kfp's version and with Python's."""
    if isinstance(value, dict):
        return {key: without_versions(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [without_versions(item) for item in value]
        return [item for n, item in enumerate(items) if item != "<base64>" or items[n - 1] != item]
    if not isinstance(value, str):
        return value
    value = re.sub(r"^kfp-[0-9.]+$", "kfp-<version>", masked(value))
    return re.sub(r"^python:3\.\d+$", "python:<minor>", value)


def check_documents(documents):
    """KFP's protocol buffers take every field, and know no other one; waits are among siblings."""
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
    for component in (pipeline["root"], *pipeline["components"].values()):
        tasks = component.get("dag", {}).get("tasks", {})
        for task in tasks.values():
            assert set(task.get("dependentTasks", ())) <= set(tasks)
            assert task["componentRef"]["name"] in pipeline["components"]
            assert not task.get("cachingOptions", {}).get("enableCache")


def check_kfp_loads(path):
    from kfp import components

    component = components.load_component_from_file(str(path))
    inputs = yaml.safe_load_all(path.read_text())
    wanted = next(inputs)["root"].get("inputDefinitions", {}).get("parameters", {})
    assert set(component.component_spec.inputs or ()) == set(wanted)
