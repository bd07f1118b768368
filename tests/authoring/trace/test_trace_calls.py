"""How arguments of calls become expressions of the plan."""

from __future__ import annotations

import copy
import enum
import functools
import types
from typing import NamedTuple

import pytest

from kalelite.authoring.decorators import pipeline, step
from kalelite.errors import PipelineError
from kalelite.plan.graph import Constant, Group, OutputRef, Pack, ParameterRef
from kalelite.plan.order import dependencies


@step
def make(seed=0):
    return seed


@step
def take(x, y=None):
    return x


@step
def many(*values, **named):
    return values


@step
def no_input():
    return 1


def plan_of(body):
    return pipeline(body).plan()


def argument(body, name="x", task=-1):
    """The expression of one argument of one task of a body."""
    return plan_of(body).tasks[task].arguments[name]


class Color(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: object
    y: object


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        b"\0",
        (1, 2),
        [1, [2]],
        {"a": {1}},
        Color.RED,
        Point(1, 2),
        Color,
        len,
    ],
)
def test_a_constant_of_any_value(value):
    def body():
        take(value)

    assert argument(body).value == value


def test_a_constant_is_what_it_was_at_the_call():
    def body():
        config = {"layers": [1]}
        take(config)
        config["layers"].append(2)
        take(config)

    plan = plan_of(body)
    values = [task.arguments["x"].value for task in plan.tasks]
    assert values == [{"layers": [1]}, {"layers": [1, 2]}]


def test_a_constant_that_cannot_be_copied_is_taken_as_it_is():
    def body():
        take(types)

    assert argument(body).value is types


@pytest.mark.parametrize("kind", [list, tuple])
def test_outputs_in_a_list_or_tuple(kind):
    def body():
        a = make(1)
        take(kind([a, 3, [a]]))

    pack = argument(body)
    assert isinstance(pack, Pack)
    assert pack.type is kind
    assert pack.items[0] == OutputRef("make", "a")
    assert pack.items[1].value == 3
    assert pack.items[2].items == (OutputRef("make", "a"),)


def test_outputs_in_a_dict_keep_its_keys():
    def body(n=1):
        take({"a": make(1), 2: n, "c": [4]})

    pack = argument(body)
    assert pack.keys == ("a", 2, "c")
    assert pack.items[1] == ParameterRef("n")
    assert pack.items[2].value == [4]


def test_a_list_of_outputs_may_be_copied():
    def body():
        take(copy.deepcopy([make(1)]))

    assert argument(body).items == (OutputRef("make", "output"),)


def test_outputs_in_a_named_tuple():
    def body():
        take(Point(make(1), 2))

    assert argument(body).type is Point


def test_positional_and_keyword_arguments_to_stars():
    def body():
        a = make(1)
        many(a, 2, key=a)

    arguments = plan_of(body).tasks[1].arguments
    assert arguments["values"].type is tuple
    assert arguments["values"].items[0] == OutputRef("make", "a")
    assert arguments["named"].keys == ("key",)


def test_arguments_spread_from_constants():
    def body():
        many(*[1, 2], a=3)

    arguments = plan_of(body).tasks[0].arguments
    assert [item.value for item in arguments["values"].items] == [1, 2]


def test_loops_conditions_and_helpers_over_constants_are_plain_python():
    def rates():
        return [0.1, 0.2]

    def body():
        for rate in rates():
            if rate > 0.1:
                take(rate, sum(rates()))

    assert [t.arguments["x"].value for t in plan_of(body).tasks] == [0.2]


def test_a_helper_may_call_steps():
    def twice(value):
        return take(take(value))

    def body():
        take(twice(make()))

    assert argument(body) == OutputRef("take-2", "output")


def test_steps_of_a_module_and_partials_and_aliases():
    module = types.SimpleNamespace(train=take)
    alias = make

    def body():
        value = alias(2)
        module.train(value)
        functools.partial(take, y=3)(value)

    assert [task.id for task in plan_of(body).tasks] == ["make", "take", "take-2"]


def test_a_step_in_a_comprehension_and_in_map():
    def body():
        models = [make(n) for n in range(2)]
        take(list(map(take, models)))

    plan = plan_of(body)
    assert [task.id for task in plan.tasks] == ["make", "make-2", "take", "take-2", "take-3"]
    assert plan.tasks[-1].arguments["x"].items == (
        OutputRef("take", "output"),
        OutputRef("take-2", "output"),
    )


@pytest.mark.parametrize("form", ["keyword", "list", "proxy", "step"])
def test_after(form):
    def body():
        first = no_input()
        if form == "keyword":
            make(1, after=first)
        elif form == "list":
            make(1, after=[first])
        elif form == "proxy":
            make(1).after(first)
        else:
            make.after(first)(1)

    plan = plan_of(body)
    assert plan.tasks[1].after == ("no-input",)
    assert dependencies(plan)["make"] == ("no-input",)


def test_after_is_an_argument_if_the_step_has_one():
    @step
    def wait(after):
        return after

    def body():
        wait(after=3)

    assert argument(body, "after").value == 3


def test_after_means_nothing_when_a_step_is_called_outside_of_a_pipeline():
    assert make(4, after=None) == 4


def test_options_for_one_call():
    trained = step(memory="1Gi")(lambda_free)

    def body():
        trained(1)
        trained.options(memory="2Gi", cpu="2")(1)
        trained.options(name="big").options(memory="4Gi")(1)

    plan = plan_of(body)
    assert [task.options.memory for task in plan.tasks] == ["1Gi", "2Gi", "4Gi"]
    assert [task.id for task in plan.tasks] == ["lambda-free", "lambda-free-2", "big"]


def lambda_free(x):
    return x


def test_defaults_of_the_pipeline_are_options_of_every_step():
    @pipeline(defaults={"memory": "3Gi"})
    def body():
        make(1)
        take.options(memory="5Gi")(1)

    assert [task.options.memory for task in body.plan().tasks] == ["3Gi", "5Gi"]


def test_a_nested_pipeline_is_a_group_and_may_be_used_twice():
    @pipeline
    def prepare(seed, scale=2):
        value = make(seed)
        return take(value, scale)

    @pipeline
    def whole(n=5):
        a = prepare(n)
        b = prepare(7, scale=a)
        take(b)

    plan = whole.plan()
    assert [block.id for block in plan.blocks] == ["prepare", "prepare-2"]
    assert all(isinstance(block, Group) for block in plan.blocks)
    assert [task.parent for task in plan.tasks] == ["prepare"] * 2 + ["prepare-2"] * 2 + [""]
    assert plan.tasks[0].arguments["seed"] == ParameterRef("n")
    assert plan.tasks[1].arguments["y"].value == 2
    assert plan.tasks[2].arguments["seed"].value == 7
    assert plan.tasks[3].arguments["y"] == OutputRef("take", "output")
    assert plan.tasks[4].arguments["x"] == OutputRef("take-2", "output")


def test_waiting_for_a_nested_pipeline_that_returns_nothing():
    @pipeline
    def prepare():
        make(1)

    @pipeline
    def whole():
        done = prepare()
        take(2, after=done)

    assert dependencies(whole.plan())["take"] == ("prepare",)


def test_a_part_of_a_constant_given_to_a_nested_pipeline():
    @pipeline
    def inner(config):
        take(config["rates"][0])

    def body():
        inner({"rates": [0.5]})

    assert argument(body).value == 0.5


def test_nested_defaults_apply_inside_only():
    @pipeline(defaults={"memory": "9Gi"})
    def inner():
        make(1)

    def body():
        inner()
        make(2)

    assert [task.options.memory for task in plan_of(body).tasks] == ["9Gi", None]


def test_the_result_in_any_nesting():
    def body(n=3):
        a = take(1)
        return {"a": [a, make(2)], "n": n, "c": 4}

    result = plan_of(body).result
    assert result.keys == ("a", "n", "c")
    assert result.items[0].items == (OutputRef("take", "a"), OutputRef("make", "output"))
    assert isinstance(result.items[2], Constant)


def test_order_of_calls():
    @pipeline(order="calls")
    def body():
        make(1)
        make(2)
        take(3)

    assert dependencies(body.plan()) == {"make": (), "make-2": ("make",), "take": ("make-2",)}


def test_required_parameters_are_no_hindrance_to_a_plan():
    def body(n, rate: float = 0.5, *, name: str):
        take(n, rate)
        take(name)

    plan = plan_of(body)
    assert [p.name for p in plan.parameters] == ["n", "rate", "name"]
    assert plan.parameters[1].type is float
    assert plan.parameters[2].type is str


def test_values_for_a_plan_become_its_defaults():
    @pipeline
    def body(n: int, m=2):
        take(n, m)

    assert [p.default for p in body.plan(5, m=3).parameters] == [5, 3]


def test_a_changed_default_does_not_change_the_pipeline():
    shared = [1]

    @pipeline
    def body(items=shared):
        take(items)

    shared.append(2)
    assert body.plan().parameters[0].default == [1]


def test_nothing_is_left_behind_by_a_body_that_raises():
    @pipeline
    def broken():
        make(1)
        raise KeyError("oops")

    with pytest.raises(PipelineError, match="KeyError: 'oops'"):
        broken.plan()
    assert make(3) == 3


def test_a_body_that_exits_is_wrong_and_leaves_nothing_behind():
    @pipeline
    def leaves():
        raise SystemExit(3)

    with pytest.raises(PipelineError, match="SystemExit: 3"):
        leaves.plan()
    assert make(3) == 3


def test_a_body_that_is_interrupted_leaves_nothing_behind():
    @pipeline
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.plan()
    assert make(3) == 3


def test_planning_a_pipeline_inside_the_body_of_another():
    @pipeline
    def other():
        make(1)

    @pipeline
    def outer():
        take(len(other.plan().tasks))

    (task,) = outer.plan().tasks
    assert task.arguments["x"].value == 1


def test_two_steps_that_calls_give_one_name_are_told_by_that_name():
    @step
    def first():
        return 1

    @step
    def second():
        return 2

    @pipeline
    def p():
        first.options(name="same")()
        second.options(name="same")()

    (problem,) = p.draft()[1]

    assert problem.message.startswith("two different steps are called `same`: the other is at ")


def test_attributes_of_a_function_stay_but_hide_nothing_of_the_step():
    def train(x):
        return x

    train.version = 3
    train.options = train.problems = train.name = "the function's own"
    made = step(train)

    @pipeline
    def study():
        made.options(memory="1Gi")(1)

    assert made.version == 3
    assert study.plan().tasks[0].id == "train"
