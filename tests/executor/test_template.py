"""A plan's task as JSON, and filled."""

import inspect
import json
from collections import namedtuple
from dataclasses import asdict

import pytest

from kalelite.capture.code import capture
from kalelite.engine.task_templates import task_template
from kalelite.errors import CaptureError, Where
from kalelite.executor.spec import TaskSpec
from kalelite.executor.template import fill, value_slot
from kalelite.plan import graph as g

Pair = namedtuple("Pair", "left right")


def make(**arguments):
    def step(**given):
        return given

    definition = g.StepDef("step", step, inspect.signature(step))
    where = Where("train.py", 7, text="step()")
    task = g.Task("step", definition, arguments, (g.Output("out", 0, "int"),), 1, where=where)
    plan = g.Plan("p", (task,))
    code = capture(plan)
    return task_template(task, code), code


class Seen:
    """Values that name what they were asked for."""

    def output(self, task, output):
        return {"ref": f"{task}.{output}"}

    def parameter(self, name):
        return {"value": name}

    def item(self, loop):
        return {"ref": loop, "path": ["x"]}

    def collected(self, source, loops):
        return {"pack": "list", "of": [{"ref": source["output"]}]}

    def choose(self, switch, choices):
        return choices[1]

    def status(self, scope):
        return {"state": "SUCCEEDED"}


@pytest.mark.parametrize(
    ("expr", "slot"),
    [
        (g.Constant(3), {"value": 3}),
        (g.Constant("\ud800"), {"value": "\ud800"}),
        (g.OutputRef("a", "m", ("k", 0)), {"ref": "a.m", "path": ["k", 0]}),
        (g.ParameterRef("n"), {"value": "n"}),
        (g.ItemRef("loop", ("y",)), {"ref": "loop", "path": ["x", "y"]}),
        (g.Collected(g.OutputRef("a", "m"), ("loop",)), {"pack": "list", "of": [{"ref": "a"}]}),
        (g.OneOf("s", (g.Constant(1), g.OutputRef("b", "o"))), {"ref": "b.o"}),
        (g.StatusRef("scope"), {"status": {"state": "SUCCEEDED"}}),
        (g.Pack(list, (g.Constant(1), g.OutputRef("a", "m"))), {"pack": "list", "of": [{"value": 1}, {"ref": "a.m"}]}),
        (g.Pack(dict, (g.ParameterRef("n"),), ("k",)), {"pack": "dict", "keys": [{"value": "k"}], "of": [{"value": "n"}]}),
    ],
)  # fmt: skip
def test_expressions_become_slots(expr, slot):
    template, _ = make(x=expr)
    again = TaskSpec.from_json(json.loads(json.dumps(asdict(template))))
    spec = fill(again, Seen(), task="step[2]", attempt=3, record="r")
    assert spec.arguments == {"x": slot}
    assert (spec.task, spec.step, spec.attempt, spec.record) == ("step[2]", "step", 3, "r")
    assert (spec.outputs[0].name, spec.outputs[0].native, spec.arity) == ("out", "int", 1)


@pytest.mark.parametrize(
    "value", [float("nan"), 10**400, [1], {"a": (1,)}, b"x", 1 + 2j, True.__class__]
)
def test_what_json_cannot_hold_is_a_constant_of_the_code(value, tmp_path):
    template, code = make(x=g.Constant(value))
    code.write(tmp_path)
    slot = template.arguments["x"]
    assert slot == {"const": slot["const"]}
    got = code.live().constant(slot["const"])
    assert got is value


def test_a_named_tuple_keeps_its_type():
    template, code = make(x=g.Pack(Pair, (g.Constant(1), g.Constant(2))))
    slot = template.arguments["x"]
    assert slot["pack"] == "named"
    assert code.live().constant(slot["type"]["const"]) is Pair


def test_a_constant_that_cannot_travel_points_to_the_call():
    import threading

    with pytest.raises(CaptureError) as caught:
        make(x=g.Constant(threading.Lock()))
    problem = caught.value.problems[0]
    assert "argument 'x' of task 'step' cannot travel" in problem.message
    assert problem.where.line == 7


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        (3, {"value": 3}),
        ([1, "a"], {"pack": "list", "of": [{"value": 1}, {"value": "a"}]}),
        ({"a": []}, {"pack": "dict", "keys": [{"value": "a"}], "of": [{"pack": "list", "of": []}]}),
        ((1,), None),
        ([b"x"], None),
        (float("inf"), None),
    ],
)
def test_slots_of_parameters(value, slot):
    assert value_slot(value) == slot
