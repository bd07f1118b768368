"""Annotations of a step's result and of its consumer's parameter that cannot both be right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest

from kalelite.authoring.control import ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.plan.types.hints import UNKNOWN, hints_of, resolve


class Animal:
    pass


class Dog(Animal):
    pass


def problems_between(produced, wanted):
    def produce():
        return None

    def consume(x):
        return x

    produce.__annotations__["return"] = produced
    consume.__annotations__["x"] = wanted
    first, second = step(produce), step(consume)

    @pipeline
    def body():
        second(first())

    return body.draft()[1]


@pytest.mark.parametrize(
    ("produced", "wanted"),
    [
        (int, int),
        (int, float),
        (bool, int),
        (Dog, Animal),
        (Animal, Dog),
        (int, Any),
        (Any, int),
        (int, object),
        (int, Optional[int]),
        (Optional[int], int),
        (int, Union[str, int]),
        (list, Sequence),
        ("list[int]", "list"),
        (Literal["a"], str),
        ("NotThere", int),
        (int, "torch.Tensor"),
    ],
)
def test_types_that_fit(produced, wanted):
    assert problems_between(produced, wanted) == []


@pytest.mark.parametrize(
    ("produced", "wanted"),
    [
        (str, int),
        (int, str),
        (float, int),
        (Animal, int),
        (str, Path),
        (dict, list),
        ("str", "int"),
        (str, Optional[int]),
    ],
)
def test_types_that_do_not_fit(produced, wanted):
    (problem,) = problems_between(produced, wanted)
    assert "step `consume` takes `x:" in problem.message
    assert "of step `produce` is" in problem.message
    assert "defined at" in problem.hint


@step
def rate(value: float, items: list = None, *rest: int, **more: str) -> float:
    return value


def test_constants_and_parameters_are_held_to_annotations():
    def body(name: str, n=3):
        rate("fast")
        rate(name)
        rate(n)
        rate(1, None)
        rate(1.0, [], 1, "two", key=3)

    problems = pipeline(body).draft()[1]
    assert [problem.where.text.strip() for problem in problems] == [
        'rate("fast")',
        "rate(name)",
        'rate(1.0, [], 1, "two", key=3)',
        'rate(1.0, [], 1, "two", key=3)',
    ]


@pipeline
def inner(n: int, rates: list[float] = [0.5], name: str = "a"):
    rate(n)


@step
def text() -> str:
    return "a"


def test_arguments_of_a_nested_pipeline_are_held_to_annotations():
    def body(word: str):
        inner("three")
        inner(word)
        inner(text())
        inner(1, [0.5, "fast"])
        inner(1, name=None)
        inner(1, [1], word)

    problems = pipeline(body).draft()[1]
    start = "pipeline `inner` cannot be called like this: "
    assert [problem.message.removeprefix(start) for problem in problems] == [
        "parameter n: 'three' is not an int",
        "`n` is annotated as int, and `word`, a parameter of the pipeline, is str",
        "`n` is annotated as int, and the output of step `text` is str",
        "parameter rates[1]: 'fast' is not a float",
        "parameter name: None is not a str",
    ]
    assert problems[0].where.text.strip() == 'inner("three")'


def test_arguments_of_a_nested_pipeline_are_converted():
    @pipeline
    def half(n: float = 1, place: Path = "a/b"):
        rate(n, [place])

    def body():
        half()
        half(2, place="c")

    plan = pipeline(body).plan()
    assert [repr(task.arguments["value"].value) for task in plan.tasks] == ["1.0", "2.0"]
    places = [task.arguments["items"].items[0].value for task in plan.tasks]
    assert places == [Path("a/b"), Path("c")]


def test_the_default_of_a_parameter_is_of_its_type():
    def body(n: float = 2, place: Path = "a/b"):
        rate(n, [place])

    n, place = pipeline(body).plan().parameters
    assert repr(n.default) == "2.0"
    assert place.default == Path("a/b")


def test_items_of_a_loop_are_held_to_annotations():
    @step
    def words() -> list[str]:
        return ["a"]

    def body():
        with ParallelFor([1, 2.5]) as item:
            rate(item)
        with ParallelFor(["fast"]) as item:
            rate(item)
        with ParallelFor([{"rate": "fast"}]) as item:
            rate(item.rate)
        with ParallelFor(words()) as item:
            rate(item)

    assert [problem.message for problem in pipeline(body).draft()[1]] == [
        "step `rate` takes `value: float`, and `item` of ParallelFor is str",
        "step `rate` takes `value: float`, and `item['rate']` of ParallelFor is str",
        "step `rate` takes `value: float`, and `item` of ParallelFor is str",
    ]


def test_values_of_an_annotated_tuple_have_their_types():
    @step
    def pair() -> tuple[int, str]:
        return 1, "a"

    def body():
        number, text = pair()
        rate(number)
        rate(text)

    (problem,) = pipeline(body).draft()[1]
    assert "`text` of step `pair` is str" in problem.message


def test_annotations_are_resolved_with_names_at_hand_only():
    space = {"__name__": "somewhere", "Animal": Animal}
    exec(
        "from __future__ import annotations\n"
        "def f(a: Animal, b: not_imported.Thing, c: list[Animal], d: Animal | None, e: 3 + 4): ...",
        space,
    )
    hints = hints_of(space["f"])
    assert hints["a"] is Animal
    assert hints["c"] == list[Animal]
    assert hints["d"] == Optional[Animal]
    assert "b" not in hints
    assert "e" not in hints


def test_resolving_runs_nothing():
    class Lazy:
        def __getattr__(self, name):
            raise AssertionError("looked up an attribute that would import")

    assert resolve("lazy.Thing", {"lazy": Lazy()}) is UNKNOWN
    assert resolve("print('no')", {}) is UNKNOWN
    assert resolve("Literal['a', 'b']", {"Literal": Literal}) == Literal["a", "b"]
    assert resolve("'Animal'", {"Animal": Animal}) is Animal


@step
def choose(mode: Literal["fast", "slow"], level: Optional[Literal[1, 2]] = 1):
    return mode, level


def test_a_constant_that_is_no_value_of_a_literal_is_found():
    @pipeline
    def p(mode: Literal["fast", "slow"] = "fast"):
        choose("fast")
        choose(mode, None)
        choose("slow", 2)
        choose("fats")
        choose("fast", 3)

    _, problems = p.draft()

    assert [problem.message for problem in problems] == [
        "step `choose` takes `mode: Literal['fast', 'slow']`, and 'fats' is another value",
        "step `choose` takes `level: Optional[Literal[1, 2]]`, and 3 is another value",
    ]
