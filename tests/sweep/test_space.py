"""What ``-p`` of ``kalelite sweep`` means, and which points a space has."""

from __future__ import annotations

import pytest

from kalelite.errors import UsageError
from kalelite.sweep.space import draws, grid, parse_space, size_of_space


def points(found):
    return [tuple(point.values()) for point in found]


def test_a_grid_has_all_points_the_last_parameter_changing_first():
    space, fixed = parse_space({"lr": "[0.1, 0.01]", "n": "3", "depth": "2..4"})

    assert fixed == {"n": "3"}
    assert points(grid(space)) == [
        *((0.1, 2), (0.1, 3), (0.1, 4)),
        *((0.01, 2), (0.01, 3), (0.01, 4)),
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[ridge, lasso]", ["ridge", "lasso"]),
        ('["a, b", "c"]', ["a, b", "c"]),
        ("['a', None, True]", ["a", None, True]),
        ("[[1, 2], [3]]", [[1, 2], [3]]),
        ("-1..1", [-1, 0, 1]),
    ],
)
def test_values(text, values):
    space, _ = parse_space({"x": text})

    assert [point["x"] for point in grid(space)] == values


def test_draws_repeat_with_their_seed_and_have_no_point_twice():
    space, _ = parse_space({"a": "1..5", "b": "[x, y]"})

    drawn = points(draws(space, 8, seed=7))

    assert drawn == points(draws(space, 8, seed=7))
    assert len(set(drawn)) == 8
    assert drawn != points(draws(space, 8, seed=8))
    assert sorted(points(draws(space, 99, seed=7))) == sorted(points(grid(space)))


def test_draws_of_ranges():
    space, _ = parse_space({"rate": "0.1..0.5", "lr": "1e-4..1e-1 log", "n": "1..1000 log"})
    drawn = list(draws(space, 400, seed=1))

    assert size_of_space(space) is None
    assert all(0.1 <= point["rate"] <= 0.5 for point in drawn)
    assert all(1e-4 <= point["lr"] <= 1e-1 for point in drawn)
    assert all(type(point["n"]) is int and 1 <= point["n"] <= 1000 for point in drawn)
    small = sum(point["lr"] < 1e-2 for point in drawn)
    assert 0.55 < small / 400 < 0.78  # two of three magnitudes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6..2", "6 is not below 2"),
        ("0..1 log", "magnitudes begin above 0"),
        ("[]", "is no list of values"),
        ("[1, 2", "is no list of values"),
        ("[1, 1]", "has 1 twice"),
        ("3", "nothing is swept"),
    ],
)
def test_what_is_no_space(text, message):
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        parse_space({"x": text})


def test_there_is_no_grid_of_all_numbers_between():
    space, _ = parse_space({"x": "0.1..0.5"})

    with pytest.raises(UsageError, match="x has no end of values"):
        grid(space)
