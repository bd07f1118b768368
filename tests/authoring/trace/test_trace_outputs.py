"""Names, number and types of the outputs of a task."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kalelite.authoring.decorators import pipeline, step
from kalelite.plan.graph import OutputRef


class Parts(NamedTuple):
    train: list
    score: float


@step
def load():
    return make_up()


def make_up():
    return 1, 2


@step
def use(*values):
    return values


@step
def typed() -> tuple[int, str]:
    return 1, "a"


@step
def named() -> Parts:
    return Parts([1], 0.5)


@step
def number() -> float:
    return 1.0


@step
def nothing() -> None:
    return None


def first(body):
    return pipeline(body).plan().tasks[0]


def names(body):
    return [(output.name, output.index) for output in first(body).outputs]


def test_one_name_is_the_whole_value():
    def body():
        model = load()
        use(model)

    assert names(body) == [("model", None)]
    assert first(body).arity is None


def test_several_names_are_values_of_their_own():
    def body():
        x, y = load()

    assert names(body) == [("x", 0), ("y", 1)]
    assert first(body).arity == 2


def test_one_name_and_a_comma_take_one_value():
    def body():
        (x,) = load_one()

    @step
    def load_one():
        return (make_up(),)

    assert names(body) == [("x", 0)]
    assert first(body).arity == 1


def test_a_throwaway_name_is_not_stored():
    def body():
        _, y = load()

    assert names(body) == [("y", 1)]
    assert first(body).arity == 2


def test_a_whole_value_unpacked_later():
    def body():
        pair = load()
        a, b = pair
        use(a)

    assert names(body) == [("a", 0), ("b", 1)]


def test_a_whole_value_used_whole_and_unpacked():
    def body():
        pair = load()
        a, b = pair
        use(pair, b)

    assert names(body) == [("pair", None), ("a", 0), ("b", 1)]


def test_what_a_call_that_is_a_statement_returns_is_kept_if_it_can_be():
    def body():
        load()

    assert [(o.name, o.optional) for o in first(body).outputs] == [("output", True)]


def test_a_number_is_kept_even_if_nobody_takes_it():
    def body():
        number()

    assert [(o.name, o.native) for o in first(body).outputs] == [("output", "float")]


def test_a_step_that_returns_nothing_has_no_output():
    def body():
        done = nothing()
        use(1, after=done)

    assert names(body) == []


def test_a_result_without_a_name():
    def body():
        use(load())

    assert names(body) == [("output", None)]


@pytest.mark.parametrize("key", [0, -1, "k"])
def test_selecting_from_a_value(key):
    def body():
        value = load()
        use(value[key]["deep"])

    plan = pipeline(body).plan()
    (item,) = plan.tasks[1].arguments["values"].items
    assert item == OutputRef("load", "value", (key, "deep"))


def test_a_tuple_annotation_gives_values_of_their_own_also_by_number():
    def body():
        pair = typed()
        use(pair[1], pair[-2])

    task = first(body)
    assert [(o.name, o.index, o.native) for o in task.outputs] == [
        ("output_1", 0, "int"),
        ("output_2", 1, "str"),
    ]
    assert task.arity == 2


def test_a_named_tuple_gives_its_fields():
    def body():
        parts = named()
        use(parts.score, parts[0])

    assert [(o.name, o.index, o.native) for o in first(body).outputs] == [
        ("train", 0, "list"),
        ("score", 1, "float"),
    ]


def test_a_named_tuple_unpacked_keeps_its_field_names():
    def body():
        data, result = named()

    assert names(body) == [("train", 0), ("score", 1)]


def test_a_named_tuple_kept_whole():
    def body():
        parts = named()

    assert names(body) == [("parts", None)]
    assert first(body).arity == 2


def test_a_name_given_twice_is_the_last_one():
    def body():
        x, x = load()

    assert names(body) == [("x", 1)]


def test_other_targets():
    class Box:
        pass

    def body():
        box = Box()
        box.value = load()
        a = b = load()
        if (c := load()) is not None:
            use(c)
        d: object = load()
        use(box.value, a, b, d)

    plan = pipeline(body).plan()
    found = [task.outputs[0].name for task in plan.tasks if task.step.name == "load"]
    assert found == ["output", "a", "c", "d"]


def test_nested_targets_are_refused_one_level_down():
    def body():
        (a, b), c = load()

    problems = pipeline(body).draft()[1]
    assert "cannot be unpacked here" in problems[0].message


def test_names_of_closures_and_globals():
    def body():
        global from_a_test
        shared = load()
        from_a_test, other = load()

        def inner():
            return shared, other

    plan = pipeline(body).plan()
    assert [[o.name for o in task.outputs] for task in plan.tasks] == [
        ["shared"],
        ["from_a_test", "other"],
    ]


def test_more_than_256_names_in_a_body():
    """Arguments of instructions that need more than a byte."""
    lines = [f"    name_{number} = load()" for number in range(300)]
    lines.append("    left, right = load()")
    space = {"load": load, "pipeline": pipeline}
    exec("@pipeline\ndef body():\n" + "\n".join(lines), space)
    plan = space["body"].plan()
    assert [task.outputs[0].name for task in plan.tasks[:300]] == [f"name_{n}" for n in range(300)]
    assert [output.name for output in plan.tasks[300].outputs] == ["left", "right"]
