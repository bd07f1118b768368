"""Containers of the user's own: what they are given, and how their files come and go."""

from __future__ import annotations

import yaml

HEAD = """
from pathlib import Path
from kalelite import *
from kalelite import container_step, load_component, pipeline, step

cat = container_step(
    "cat", image="busybox", command=["sh", "-c", 'cat "$0" > "$1"'],
    args=[InputPath("p"), OutputPath("o")], inputs={"p": Path}, outputs={"o": Path},
)

@step
def make() -> Path:
    return Path("x")

@step
def read(file):
    return file.read_text()
"""


def parts_of(path):
    """The tasks of the root, the containers and the claims that each mounts."""
    spec, *platforms = yaml.safe_load_all(path.read_text())
    executors = {
        name.removeprefix("exec-"): entry["container"]
        for name, entry in spec["deploymentSpec"]["executors"].items()
    }
    mounts = {
        name.removeprefix("exec-"): pod.get("pvcMount", [])
        for platform in platforms
        for name, pod in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items()
    }
    return spec["root"]["dag"]["tasks"], executors, mounts


def artifact_of(task, name):
    source = task["inputs"]["artifacts"][name]["taskOutputArtifact"]
    return source["producerTask"], source["outputArtifactKey"]


def test_a_file_is_written_before_the_container_and_taken_behind_it(compiled, write_script):
    script = write_script(HEAD + "@pipeline\ndef main():\n    read(cat(cat(make())))\n")
    tasks, containers, mounts = parts_of(compiled(script))
    assert artifact_of(tasks["cat"], "p_file") == ("cat-p-file", "file")
    assert artifact_of(tasks["cat-2"], "p_file") == ("cat", "o"), "no task between containers"
    assert artifact_of(tasks["cat-2-o-file"], "cat_2_o") == ("cat-2", "o")
    assert tasks["read"]["dependentTasks"] == ["cat-2-o-file"]
    assert containers["cat"]["args"] == [
        "{{$.inputs.artifacts['p_file'].path}}",
        "{{$.outputs.artifacts['o'].path}}",
    ]
    assert not mounts.get("cat"), "the user's container gets no volume of kalelite"
    assert mounts["cat-p-file"]


def test_a_path_on_a_volume_of_the_container_is_given_as_it_is(compiled, write_script):
    text = (
        "@pipeline\ndef main():\n    cat.options(volumes={'/data': 'claim'})(Path('/data/f.csv'))\n"
    )
    tasks, containers, _ = parts_of(compiled(write_script(HEAD + text)))
    assert tasks["cat"]["inputs"]["parameters"]["p_file"]["runtimeValue"] == {
        "constant": "/data/f.csv"
    }
    assert containers["cat"]["args"][0] == "{{$.inputs.parameters['p_file']}}"
    assert "cat-p-file" not in tasks


def test_what_is_not_given_is_an_empty_word_or_file(compiled, write_script):
    text = '''
opt = load_component("""
name: opt
inputs: [{name: text, optional: true}, {name: file, optional: true, type: Data}]
implementation:
  container:
    image: busybox
    command: [echo, {inputValue: text}, {inputPath: file}]
    args: [{if: {cond: {isPresent: text}, then: [given], else: [absent]}}]
""")
@pipeline
def main():
    opt()
    opt("t", make())
'''
    tasks, containers, _ = parts_of(compiled(write_script(HEAD + text)))
    file = "{{$.inputs.artifacts['file_file'].path}}"
    assert containers["opt"]["command"] == ["echo", "", file]
    assert containers["opt"]["args"] == ["absent"]
    assert containers["opt-2"]["command"] == ["echo", "{{$.inputs.parameters['text']}}", file]
    assert containers["opt-2"]["args"] == ["given"]
    assert "make" in tasks["opt-2-file-file"]["dependentTasks"]


def test_a_file_that_no_word_names_is_waited_for(compiled, write_script):
    text = """
idle = container_step("idle", image="busybox", command=["true"], inputs={"p": Path})
@pipeline
def main():
    idle(make())
"""
    tasks, _, _ = parts_of(compiled(write_script(HEAD + text)))
    assert tasks["idle"]["dependentTasks"] == ["make"]


def test_kfp_can_tell_two_calls_of_a_container_apart(compiled, write_script):
    """They may differ in the types of their inputs, and KFP knows components by their container."""
    text = """
echo = container_step("echo", image="busybox", command=["echo", InputValue("x")], inputs={"x": str})
@step
def five() -> int: return 5
@pipeline
def main(n: str = "a"):
    echo(n)
    echo(five())
"""
    _, containers, _ = parts_of(compiled(write_script(HEAD + text)))
    assert containers["echo"] != containers["echo-2"]


def test_names_that_kfp_keeps_for_itself(compiled, write_script):
    text = """
echo = container_step(
    "echo", image="busybox", command=["echo", InputValue("self"), InputPath("Output")],
    inputs={"self": str, "Output": str},
)
@step
def own(self, x): ...
@pipeline
def main(self: str = "s", base_image: str = "b"):
    own(self=self, x=base_image)
    echo(self=self, Output=base_image)
"""
    _, containers, _ = parts_of(compiled(write_script(HEAD + text)))
    assert containers["echo"]["command"] == [
        "echo",
        "{{$.inputs.parameters['v_self']}}",
        "{{$.inputs.artifacts['Output_file'].path}}",
    ]


def test_constants_are_spelled_as_they_are_here(compiled, write_script):
    """KFP would round the one and refuse the other."""
    text = """
echo = container_step(
    "echo", image="busybox", command=["echo", InputValue("n"), InputValue("l")],
    inputs={"n": int, "l": list},
)
@pipeline
def main():
    echo(2**53 + 1, [1e22, None, {"é": True}])
"""
    tasks, _, _ = parts_of(compiled(write_script(HEAD + text)))
    given = tasks["echo"]["inputs"]["parameters"]
    constants = {name: entry["runtimeValue"]["constant"] for name, entry in given.items()}
    assert constants == {"n": "9007199254740993", "l": '[1e+22, null, {"é": true}]'}
