"""Compiled programs run by kfp's own local runner, which reads the compiled pipeline by itself."""

from __future__ import annotations

import sys
import warnings

import pytest
import yaml
from conformance_programs import PROGRAMS, arguments_of, load, value_of

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

# No loops: a step in one has to know its node in the Workflow, and here is none.
NAMES = ["chain", "if_else", "nested_pipeline", "packs", "constants"]
# kfp's subprocess runner takes a container for one of its own if these words are in the command.
KFPS_OWN = ["python3", "-X", "runner=kfp.dsl.executor_main"]


@pytest.fixture
def compiled(tmp_path, request, monkeypatch):
    """A program compiled onto a claim that exists already, as the pipeline's own YAML."""
    from kalelite.backends.kubeflow.compile.build import compile_plan

    def compile_program(name, marshal):
        module = load(PROGRAMS / f"{name}.py")
        monkeypatch.setitem(sys.modules, "__main__", module)
        (tmp_path / "journal").mkdir()
        plan = module.main.plan()
        arguments = arguments_of(module, plan, tmp_path / "journal")
        path = tmp_path / "pipeline.yaml"
        said = {"arguments": arguments, "marshal_volume": "claim", "marshal_path": marshal}
        return module, plan, arguments, path, compile_plan(plan, path, **said)

    return compile_program


def run_with(runner, path):
    from kfp import components, local

    local.init(runner, pipeline_root=str(path.parent / "root"), raise_on_error=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        components.load_component_from_file(str(path))()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_subprocess_runner(name, compiled, tmp_path):
    from kfp import local

    marshal = tmp_path / "marshal"
    marshal.mkdir()
    module, plan, arguments, path, _ = compiled(name, str(marshal))
    documents = list(yaml.safe_load_all(path.read_text()))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        executor["container"]["command"][:1] = KFPS_OWN
    path.write_text(yaml.safe_dump_all(documents))
    run_with(local.SubprocessRunner(use_venv=False), path)
    hold_result(module, plan, arguments, marshal)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_docker_runner(compiled, tmp_path, engine):
    pytest.importorskip("docker", reason="needs docker's package: pip install docker")
    from kfp import local

    # kfp mounts the folder of its artifacts into each container, and takes no other volume.
    marshal = tmp_path / "root" / "marshal"
    marshal.mkdir(parents=True)
    module, plan, arguments, path, _ = compiled("chain", str(marshal))
    run_with(local.DockerRunner(), path)
    hold_result(module, plan, arguments, marshal)


def hold_result(module, plan, arguments, marshal):
    """The result, read from the records that the steps left on the volume."""
    from kalelite.executor import record_file as records
    from kalelite.marshal import Store

    found = {}
    for path in (marshal / ".kalelite" / "runs").glob("*/tasks/*/record.json"):
        record = records.read(path)
        assert record.status == "succeeded", record.failure
        found[record.task] = record.outputs
    store = Store(marshal / ".kalelite" / "store")
    value = value_of(plan.result, lambda ref: found[ref.task][ref.output]["ref"], store, arguments)
    assert value == module.EXPECTED
