"""Container steps: their definition, their calls, and KFP's component files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kalelite.authoring.container.container_step import container_step, load_component
from kalelite.authoring.decorators import pipeline, step
from kalelite.errors import UsageError
from kalelite.plan.check.container_types import check_containers
from kalelite.plan.container_command import (
    Concat,
    IfPresent,
    InputPath,
    InputValue,
    OutputPath,
    fill,
)
from kalelite.plan.graph import Constant, OutputRef, ParameterRef

count = container_step(
    "count",
    image="busybox:1.36",
    command=["sh", "-c", 'wc -l < "$0" > "$1"', InputPath("text"), OutputPath("lines")],
    inputs={"text": Path},
    outputs={"lines": int},
)
cut = container_step(
    "cut",
    image="busybox:1.36",
    command=["cut", InputValue("text"), InputValue("at")],
    args=[OutputPath("head"), OutputPath("tail")],
    inputs={"text": str, "at": 3},
    outputs={"head": str, "tail": str},
)


@step
def write() -> str:
    return "a\nb"


@step
def use(value):
    return value


def planned(body, **settings):
    """The plan of a body that has no problems."""
    plan, problems = pipeline(body).draft()
    problems = [*problems, *check_containers(plan)]
    assert not problems, [problem.render() for problem in problems]
    return plan


def faults(body):
    plan, problems = pipeline(body).draft()
    return [problem.message for problem in (*problems, *check_containers(plan))]


def test_a_list_or_a_dict_is_a_default():
    lists = container_step("c", "busybox", [InputValue("x")], inputs={"x": [1, 2], "y": {"k": 1}})
    assert not lists.problems
    assert lists.definition.inputs["x"].default == [1, 2]
    assert lists.definition.inputs["y"].type is dict


def test_the_path_that_a_step_returns_is_a_file_for_a_container():
    @step
    def table() -> Path:
        return Path("table.csv")

    def body():
        count(table())

    assert planned(body).tasks[1].arguments["text"] == OutputRef("table", "output")


def test_a_container_step_is_a_task_with_its_inputs_and_outputs():
    def body(rows: int = 3):
        lines = count(write())
        use(lines)
        head, tail = cut("text", at=rows)
        use(tail)

    plan = planned(body)
    task = plan.task("count")
    assert task.step is count.definition
    assert task.arguments == {"text": OutputRef("write", "output")}
    assert [(output.name, output.native) for output in task.outputs] == [("lines", "int")]
    assert plan.task("use").arguments == {"value": OutputRef("count", "lines")}
    assert isinstance(plan.task("cut").arguments["text"], Constant)
    assert plan.task("cut").arguments["at"] == ParameterRef("rows")
    assert [output.name for output in plan.task("cut").outputs] == ["head", "tail"]
    assert plan.task("use-2").arguments == {"value": OutputRef("cut", "tail")}


def test_outputs_by_name():
    def body():
        use(cut("text").head)

    assert planned(body).task("use").arguments == {"value": OutputRef("cut", "head")}


def test_options_and_order_of_a_call():
    def body():
        first = write()
        count.options(memory="1Gi").after(first)("text")
        count("text", after=first)

    plan = planned(body)
    assert plan.task("count").options.memory == "1Gi"
    assert plan.task("count").after == ("write",)
    assert plan.task("count-2").after == ("write",)


def test_outside_a_pipeline_there_is_nothing_to_call():
    with pytest.raises(UsageError, match="no Python function"):
        count("text")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "no image"}, "not the name of an image"),
        ({"image": None}, "image=''"),
        ({"command": "echo a"}, "is not a list of words"),
        ({"command": ["sleep", 3]}, "3 is not a word"),
        ({"command": [InputValue("x")]}, "InputValue('x') names no input of 'c'"),
        ({"command": [OutputPath("x")]}, "OutputPath('x') names no output of 'c'"),
        ({"outputs": {"x": int}}, "nothing writes the output 'x'"),
        ({"inputs": {"x": object}}, "'x' cannot be of type object"),
        ({"inputs": {"a b": str}}, "'a b' is not a name"),
        ({"inputs": "x"}, "is not a dict"),
        ({"outputs": 3}, "is not a dict"),
        ({"packages": ["pandas"]}, "packages cannot be installed"),
        ({"memory": "10GB"}, "memory='10GB'"),
        ({"memroy": "10GB"}, "'memroy' is not an option"),
        ({"name": ""}, "name=''"),
    ],
)
def test_a_wrong_definition_is_reported_with_the_pipeline(arguments, message):
    wrong = container_step(**{"name": "c", "image": "busybox", **arguments})

    def body():
        wrong()

    assert any(message in fault for fault in faults(body)), faults(body)


def test_an_argument_that_is_wrong_is_shown_by_itself():
    tool = container_step("c", image="busybox", command="ls '-l'", inputs={"x": object})

    def body():
        tool()

    found = {
        each.where.text[each.where.column : each.where.end_column]: each.hint
        for each in pipeline(body).draft()[1][:2]
    }
    assert found["command=\"ls '-l'\""] == "Write command=['ls', '-l']."
    assert 'inputs={"x": object}' in found


def test_wrong_calls():
    @step
    def model():
        return object()

    def python_object():
        count(model())

    def wrong_type():
        cut("text", at="three")

    def whole():
        use(cut("text"))

    def list_of_outputs():
        cut([write()])

    def missing():
        cut()

    def image():
        count.options(image="other:1")("text")

    assert "is a Python object" in faults(python_object)[0]
    assert "'three' is not an int" in faults(wrong_type)[0]
    assert "takes the whole result of container step `cut`" in faults(whole)[0]
    assert "not as a container of outputs" in faults(list_of_outputs)[0]
    assert any("cannot be called like this" in fault for fault in faults(missing))
    assert "image is fixed" in faults(image)[0]


V1 = """
name: Train model
description: Trains.
inputs:
- {name: Training Data, type: Dataset, description: rows}
- {name: Epochs, type: Integer, default: '3'}
- {name: Rate, type: Float, optional: true}
outputs:
- {name: Model}
- {name: Score, type: Float}
implementation:
  container:
    image: ghcr.io/acme/train:1
    command: [python3, train.py, --data, {inputPath: Training Data}]
    args:
    - --epochs
    - {inputValue: Epochs}
    - {if: {cond: {isPresent: Rate}, then: [--rate, {inputValue: Rate}], else: [--auto]}}
    - {concat: ['--model=', {outputPath: Model}]}
    - {outputPath: Score}
    env: {MODE: fast}
"""


def shown(definition, present):
    def put(word):
        return f"<{type(word).__name__}:{word.name}>"

    return fill((*definition.command, *definition.args), put, present)


def test_a_component_of_kfp_v1(tmp_path):
    file = tmp_path / "component.yaml"
    file.write_text(V1)
    definition = load_component(file).definition
    assert (definition.name, definition.description) == ("Train model", "Trains.")
    assert definition.options.env == {"MODE": "fast"}
    assert {
        name: (p.type, p.default)
        for name, p in definition.inputs.items()
        if name != "training_data"
    } == {
        "epochs": (int, 3),
        "rate": (float, None),
    }
    assert definition.inputs["training_data"].type is Path
    assert {name: output.native for name, output in definition.outputs.items()} == {
        "model": "str",
        "score": "float",
    }
    assert shown(definition, {"rate"})[3:] == [
        "<InputPath:training_data>",
        "--epochs",
        "<InputValue:epochs>",
        "--rate",
        "<InputValue:rate>",
        "--model=<OutputPath:model>",
        "<OutputPath:score>",
    ]
    assert "--auto" in shown(definition, set())


def test_a_text_of_kfp_v1_stands_as_it_is():
    text = "{{$name := .metadata.name}}"
    source = f"implementation: {{container: {{image: a, args: ['{text}', 3]}}}}\n\n"
    assert load_component(source).definition.args == (text, "3")


def test_a_component_is_called_like_a_step():
    train = load_component(V1)

    def body():
        model, score = train("rows", epochs=5)
        use(score)

    assert planned(body).task("use").arguments == {"value": OutputRef("train-model", "score")}


def v2(**container):
    component = {
        "components": {
            "comp-say": {
                "executorLabel": "exec-say",
                "inputDefinitions": {
                    "parameters": {
                        "text": {"parameterType": "STRING"},
                        "times": {"parameterType": "NUMBER_INTEGER", "defaultValue": 2},
                        "end": {"parameterType": "STRING", "isOptional": True},
                    },
                    "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Artifact"}}},
                },
                "outputDefinitions": {"parameters": {"said": {"parameterType": "STRING"}}},
            }
        },
        "deploymentSpec": {
            "executors": {
                "exec-say": {"container": {"image": "busybox", "command": ["echo"], **container}}
            }
        },
        "pipelineInfo": {"name": "say"},
        "schemaVersion": "2.1.0",
    }
    return json.dumps(component)


def test_a_compiled_component_of_kfp_v2():
    args = [
        "{{$.inputs.parameters['text']}}",
        "--n={{$.inputs.parameters['times']}}",
        "{{$.inputs.artifacts['data'].path}}",
        "{{$.outputs.parameters['said'].output_file}}",
        '{"IfPresent": {"InputName": "end", "Then": ["--end", "{{$.inputs.parameters[\'end\']}}"]}}',
    ]
    definition = load_component(v2(args=args)).definition
    assert definition.name == "say"
    assert definition.inputs["times"].default == 2
    assert definition.inputs["data"].type is Path
    assert shown(definition, {"end"}) == [
        "echo",
        "<InputValue:text>",
        "--n=<InputValue:times>",
        "<InputPath:data>",
        "<OutputPath:said>",
        "--end",
        "<InputValue:end>",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "is not a KFP component"),
        ("a: [\n", "is not valid YAML"),
        ("- a\n- b\n", "its top is not a mapping"),
        ("implementation: {graph: {}}\n\n", "a graph of components"),
        ("implementation: {container: {image: 'no image'}}\n\n", "not the name of an image"),
        (
            "implementation: {container: {image: a, args: [{inputValue: x}]}}\n\n",
            "names the input 'x'",
        ),
        ("implementation: {container: {image: a, args: [{inputUri: x}]}}\n\n", "'inputUri'"),
        ("implementation: {container: {image: a, args: 3}}\n\n", "'args' is not a list"),
        ("inputs: [3]\nimplementation: {container: {image: a}}\n", "'inputs' is not a list"),
        ("inputs: [{type: String}]\nimplementation: {container: {image: a}}\n", "has no name"),
        ("deploymentSpec: {executors: {}}\ncomponents: {}\n", "it holds 0 components"),
        (v2(args=["{{$}}"]), "KFP's own executor"),
        (v2(args=["{{$.inputs.artifacts['data'].uri}}"]), "cannot be used here"),
        ("https://example.com/component.yaml", "on the network"),
        ("nowhere.yaml", "cannot read the component nowhere.yaml: No such file"),
        ("!!python/object/apply:os.system [ls]\n", "is not valid YAML"),
    ],
)
def test_what_is_no_component(text, message):
    with pytest.raises(UsageError) as caught:
        load_component(text)
    assert message in str(caught.value)


def test_a_component_that_is_not_there_is_shown_at_the_call():
    with pytest.raises(UsageError) as caught:
        load_component("nowhere.yaml")
    where = caught.value.where
    assert where.text.strip() == 'load_component("nowhere.yaml")'
    assert str(Path.cwd()) in caught.value.hint


def test_words_that_are_no_mapping_are_refused():
    with pytest.raises(UsageError, match="is not a word"):
        load_component("implementation: {container: {image: a, args: [[1]]}}\n\n")


def test_if_present_and_concat_can_be_written_in_python():
    words = (Concat(("--x=", InputValue("x"))), IfPresent("y", ("--y",), ("--z",)))
    assert fill(words, lambda word: word.name.upper(), {"y"}) == ["--x=X", "--y"]
    assert fill(words, lambda word: word.name.upper(), ()) == ["--x=X", "--z"]
