"""Where the code of a pipeline is until its steps run."""

from __future__ import annotations

import json

import yaml

from kalelite.backends.kubeflow.compile import boot_program
from kalelite.backends.kubeflow.compile.setup_tasks import inline, source_of

SCRIPT = """
from kalelite import pipeline, step

@step
def work(x=1): return x

@pipeline
def main(): work()
"""


def test_the_code_is_in_the_arguments_of_a_task_that_never_runs(compiled, write_script):
    spec = next(yaml.safe_load_all(compiled(write_script(SCRIPT)).read_text()))
    executors = spec["deploymentSpec"]["executors"]
    large = [name for name, each in executors.items() if len(json.dumps(each)) > 4_000]
    assert large == ["exec-kalelite-code"]
    (block,) = [task for task in spec["root"]["dag"]["tasks"].values() if "triggerPolicy" in task]
    assert block["triggerPolicy"]["condition"].endswith("== 'no'")


def test_arguments_of_a_step_stay_small(compiled, write_script):
    """What is in them is in the Workflow nine times."""
    spec = next(yaml.safe_load_all(compiled(write_script(SCRIPT)).read_text()))
    container = spec["deploymentSpec"]["executors"]["exec-work"]["container"]
    assert len(json.dumps(container)) < 1_000


def test_the_program_that_finds_the_code_is_small_and_stands_alone():
    lines = source_of(boot_program).splitlines()
    assert not [line for line in lines if "import" in line and "kalelite" in line]
    assert len(inline(boot_program)[3]) < 1_700
    assert "{{" not in "".join(inline(boot_program))
