"""The ways of artifacts through a compiled pipeline."""

from __future__ import annotations

import pytest
from kubeflow_scripts import compile_script

from kalelite.backends.kubeflow.compile.compile_settings import CodeMap
from kalelite.errors import PipelineError, UsageError

STEPS = """
from kalelite import Collected, Else, ExitHandler, FinalStatus, If, OneOf, ParallelFor, pipeline, step

@step
def make(n: int = 3) -> list:
    return list(range(n))

@step
def use(*values):
    return values

@step
def number(x) -> int:
    return x

@step
def clean(status: FinalStatus):
    pass

@pipeline(marshal="artifacts")
def main(n: int = 3):
"""

LOOP = """
    with ParallelFor(make(n)) as x:
        found = number(x)
    use(Collected(found))
"""
COLLECTED_IN_A_BLOCK = """
    with ParallelFor([1, 2]) as x:
        found = number(x)
    with If(number(n) == 2):
        use(Collected(found))
"""
CHOICE = """
    with If(number(n) == 2):
        one = use(1)
    with Else():
        two = use(2)
    use(OneOf(one, two))
"""
LONE_IN_A_LOOP = """
    with ParallelFor([1, 2]) as x:
        with If(x != 2):
            found = number(x)
    use(Collected(found))
"""
LEAVING_A_SCOPE = """
    with ExitHandler(clean()):
        found = use(1)
    use(found)
"""


@pytest.fixture
def compiled(write_script, tmp_path):
    def compiled(body, **settings):
        return compile_script(write_script(STEPS + body), tmp_path, **settings)[0]

    return compiled


def graphs(spec):
    """Each graph's component, and its tasks with theirs."""
    for component in [spec["root"], *spec["components"].values()]:
        tasks = component.get("dag", {}).get("tasks", {})
        if tasks:
            found = {n: spec["components"][t["componentRef"]["name"]] for n, t in tasks.items()}
            yield component, tasks, found


def defined(component, side):
    return component.get(f"{side}Definitions", {}).get("artifacts", {})


@pytest.mark.parametrize("pods", ["each", "few"])
@pytest.mark.parametrize("code", [None, CodeMap("code")])
@pytest.mark.parametrize(
    "body", [LOOP, COLLECTED_IN_A_BLOCK, CHOICE, LONE_IN_A_LOOP, LEAVING_A_SCOPE]
)
def test_what_is_taken_is_there(compiled, body, code, pods):
    spec = compiled(body, code_map=code, pods=pods).pipeline
    for component, tasks, found in graphs(spec):
        for name, task in tasks.items():
            sources = task.get("inputs", {}).get("artifacts", {})
            assert sources.keys() == defined(found[name], "input").keys(), name
            for key, source in sources.items():
                if "componentInputArtifact" in source:
                    assert source["componentInputArtifact"] in defined(component, "input")
                    continue
                output = source["taskOutputArtifact"]
                assert output["outputArtifactKey"] == key, "one name on the whole way"
                assert key in defined(found[output["producerTask"]], "output")
                assert output["producerTask"] in task["dependentTasks"]
                is_list = "parameterIterator" in tasks[output["producerTask"]]
                assert not (is_list and "dag" in found[name]), "KFP gives a block one of a list"
        outputs = component["dag"].get("outputs", {}).get("artifacts", {})
        assert outputs.keys() == defined(component, "output").keys()
        for key, output in outputs.items():
            for selector in output["artifactSelectors"]:
                assert key in defined(found[selector["producerSubtask"]], "output")


def test_there_is_no_volume_and_no_claim(compiled):
    made = compiled(LOOP, code_map=CodeMap("code"))
    assert not made.storage.creations
    assert not made.storage.volumes
    assert "pvcMount" not in str(made.platform)
    assert "kalelite-prepare" not in made.pipeline["root"]["dag"]["tasks"]


def test_each_branch_has_something_to_give(compiled):
    spec = compiled(LONE_IN_A_LOOP).pipeline
    (graph,) = (each for name, each in spec["components"].items() if "branches" in name)
    (output,) = graph["dag"]["outputs"]["artifacts"].values()
    assert len(output["artifactSelectors"]) == 2, "an Else was added"


def test_an_exit_handler_takes_the_code_out_of_the_workflow(compiled):
    spec = compiled(LEAVING_A_SCOPE).pipeline
    handler = spec["root"]["dag"]["tasks"]["clean"]
    assert "artifacts" not in handler["inputs"]
    container = spec["deploymentSpec"]["executors"]["exec-clean"]["container"]
    assert container["command"][:2] == ["python3", "-c"]


def test_too_many_pods_are_not_collected_from(compiled):
    body = LOOP.replace("make(n)", "list(range(300))")
    with pytest.raises(PipelineError, match="the artifacts of 300 pods") as caught:
        compiled(body)
    assert "per_pod=" in str(caught.value)
    assert caught.value.problems[0].where.line
    compiled(body.replace("list(range(300))", "list(range(300)), per_pod=50"))


def test_a_handler_that_would_have_to_read_records_is_refused(compiled):
    body = LEAVING_A_SCOPE.replace("use(found)", "use.options(ignore_failures=True)(found)")
    with pytest.raises(PipelineError, match="gives a handler no artifact"):
        compiled(body)


def test_a_volume_and_artifacts_contradict_each_other(compiled):
    with pytest.raises(UsageError, match="marshal_volume='claim' goes with a volume"):
        compiled(LOOP, marshal_volume="claim")
