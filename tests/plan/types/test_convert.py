"""Parameter values: what is converted, what is refused, and how the refusal reads."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Sequence, Tuple, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalelite.errors import UsageError, Where
from kalelite.plan.types.convert import convert, to_text
from kalelite.plan.types.fit import MarshalData, fits, native_name
from kalelite.plan.types.hints import UNKNOWN


class Color(enum.Enum):
    RED = "r"
    GREEN = 2


@dataclass(frozen=True)
class Net:
    layers: list[int]
    rate: float = 0.1
    color: Optional[Color] = None
    derived: int = field(init=False, default=0)


@dataclass(frozen=True)
class Config:
    net: Net
    out: Path = Path("out")


@dataclass(frozen=True)
class Positive:
    n: int

    def __post_init__(self):
        if self.n <= 0:
            raise ValueError("n has to be positive")


Rows = NewType("Rows", int)
UTC = timezone.utc


def same(got, expected):
    assert type(got) is type(expected)
    assert got == expected


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (7, int, 7),
        (7, float, 7.0),
        (0.5, float, 0.5),
        (True, bool, True),
        ("a", str, "a"),
        ([1], list, [1]),
        ((1, 2), list, [1, 2]),
        ([1, 2], list[float], [1.0, 2.0]),
        ({"a": 1}, dict, {"a": 1}),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1], List[int], [1]),
        ({"a": 1}, Dict[str, int], {"a": 1}),
        ((1,), Tuple[int], (1,)),
        (None, None, None),
        (None, type(None), None),
        (None, Optional[int], None),
        (7, Optional[int], 7),
        (7, Union[str, int], 7),
        (7, float | int, 7),
        (7, float | str, 7.0),
        ("adam", Literal["sgd", "adam"], "adam"),
        (2, Literal[1, 2], 2),
        (Color.RED, Color, Color.RED),
        ("RED", Color, Color.RED),
        ("r", Color, Color.RED),
        (2, Color, Color.GREEN),
        ("a/b", Path, Path("a/b")),
        (Path("a"), Path, Path("a")),
        ("a", PurePosixPath, PurePosixPath("a")),
        (datetime(2026, 1, 31, 12), datetime, datetime(2026, 1, 31, 12)),
        ("2026-01-31T12:00:00Z", datetime, datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31", date, date(2026, 1, 31)),
        (Net([1]), Net, Net([1])),
        ({"layers": [1, 2], "color": "GREEN"}, Net, Net([1, 2], color=Color.GREEN)),
        ({"net": {"layers": []}, "out": "x"}, Config, Config(Net([]), Path("x"))),
        (3, Annotated[int, "rows"], 3),
        (3, Rows, 3),
        ("anything", Any, "anything"),
        ("anything", UNKNOWN, "anything"),
        ("anything", MarshalData, "anything"),
        (b"x", bytes, b"x"),
        ([1], Sequence[int], [1]),
    ],
)
def test_from_python(value, kind, expected):
    same(convert(value, kind, name="p"), expected)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("7", int, 7),
        (" -7 ", int, -7),
        ("1_000", int, 1000),
        ("7", float, 7.0),
        ("1e-3", float, 0.001),
        ("inf", float, math.inf),
        ("7", str, "7"),
        ("", str, ""),
        ("null", str, "null"),
        ("true", bool, True),
        ("No", bool, False),
        ("0", bool, False),
        ("on", bool, True),
        ("[1, 2]", list, [1, 2]),
        ("[1, 2]", list[float], [1.0, 2.0]),
        ('{"a": [1]}', dict, {"a": [1]}),
        ('{"1": 2}', dict[int, int], {1: 2}),
        ('{"2026-01-31": "RED"}', dict[date, Color], {date(2026, 1, 31): Color.RED}),
        ("[1, 2]", tuple[int, int], (1, 2)),
        ("none", Optional[int], None),
        ("null", Optional[str], None),
        ("7", Optional[int], 7),
        ("7", Union[str, int], 7),
        ("x", Union[str, int], "x"),
        ("[1]", list[int] | int, [1]),
        ("adam", Literal["sgd", "adam"], "adam"),
        ("2", Literal[1, 2], 2),
        ("true", Literal["auto", True], True),
        ("RED", Color, Color.RED),
        ("2", Color, Color.GREEN),
        ("a b", Path, Path("a b")),
        ("2026-01-31", date, date(2026, 1, 31)),
        ("2026-01-31", datetime, datetime(2026, 1, 31)),
        ('{"layers": [1], "rate": 1}', Net, Net([1], 1.0)),
        ("7", None, 7),
        ("true", None, True),
        ("none", Any, None),
        ("007", None, "007"),
        ("hello", None, "hello"),
        ('["a"]', Sequence[str], ["a"]),
    ],
)
def test_from_text(text, kind, expected):
    same(convert(text, kind, name="p", text=True), expected)


@pytest.mark.parametrize(
    ("value", "kind", "message", "hint"),
    [
        ("7", int, "parameter p: '7' is not an int", "Write 7, without quotes."),
        ("x", int, "'x' is not an int", ""),
        (True, int, "True is not an int", ""),
        (7.0, int, "7.0 is not an int", "Write 7."),
        (7.5, int, "7.5 is not an int", ""),
        ("0.5", float, "'0.5' is not a float", "without quotes"),
        (True, float, "True is not a float", ""),
        (10**400, float, "too large", ""),
        (1, bool, "1 is not a bool", "True or False"),
        ("true", bool, "'true' is not a bool", "True or False"),
        (7, str, "7 is not a str", "Write '7'."),
        ("ab", list, "'ab' is not a list", ""),
        ([1, "x"], list[int], "parameter p[1]: 'x' is not an int", ""),
        (
            {"a": {"b": "x"}},
            dict[str, dict[str, int]],
            "parameter p['a']['b']: 'x' is not an int",
            "",
        ),
        ([1], tuple[int, int], "is not a tuple[int, int]", "It has 1 items; 2 are wanted."),
        (None, int, "None is not an int", ""),
        (3, None.__class__, "3 is not None", ""),
        ("x", Optional[int], "'x' is not an Optional[int]", ""),
        ("7", int | None, "'7' is not an int | None", "Write 7, without quotes."),
        ("adm", Literal["sgd", "adam"], "'adm' is not one of its values", "Did you mean 'adam'?"),
        (True, Literal[1, 2], "True is not one of its values", "The values are 1, 2."),
        ("red", Color, "'red' is not a Color", "Did you mean 'RED'?"),
        ("BLUE", Color, "'BLUE' is not a Color", "The values are RED, GREEN."),
        ("", Path, "'' is not a path", ""),
        (3, Path, "3 is not a path", ""),
        ("soon", datetime, "'soon' is not a datetime", "2026-01-31T12:00:00"),
        (datetime(2026, 1, 31), date, "is not a date", "2026-01-31"),
        (date(2026, 1, 31), datetime, "is not a datetime", ""),
        ({"layers": ["x"]}, Net, "parameter p.layers[0]: 'x' is not an int", ""),
        ({"layer": []}, Net, "is not a Net", "Did you mean 'layers'?"),
        ({}, Net, "is not a Net", "The field 'layers' is missing."),
        ({"layers": [], "derived": 3}, Net, "is not a Net", "'derived' is not one of its fields"),
        (
            {"net": {"layers": [], "rate": "x"}},
            Config,
            "parameter p.net.rate: 'x' is not a float",
            "",
        ),
        (3, Net, "3 is not a Net", "layers, rate, color"),
        ({"n": -1}, Positive, "is not a Positive", "n has to be positive"),
        ("x", bytes, "'x' is not a bytes", ""),
        (3, Sequence[int], "3 is not a ", ""),
    ],
)
def test_what_does_not_fit_from_python(value, kind, message, hint):
    with pytest.raises(UsageError) as caught:
        convert(value, kind, name="p", where=Where("s.py", 3))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where == Where("s.py", 3)


@pytest.mark.parametrize(
    ("text", "kind", "message", "hint"),
    [
        ("7.0", int, "'7.0' is not an int", "whole number"),
        ("", int, "'' is not an int", "whole number"),
        ("9" * 5000, int, "is not an int", ""),
        ("much", float, "'much' is not a float", "0.5"),
        ("maybe", bool, "'maybe' is not a bool", "true or false"),
        ("1,2", list, "'1,2' is not a list", "JSON"),
        ("{a: 1}", dict, "is not a dict", "JSON"),
        ("[1]", dict, "is not a dict", ""),
        ('{"x": 1}', dict[int, int], "parameter p['x']: 'x' is not an int", ""),
        ("[" * 10**5, list, "is not a list", "JSON"),
        ("{}", Net, "is not a Net", "'layers' is missing"),
        ("net", Net, "is not a Net", "JSON"),
        ("x", bytes, "is not a bytes", "cannot be written as text"),
        ("x", Literal[1, 2], "not one of its values", "1, 2"),
    ],
)
def test_what_does_not_fit_as_text(text, kind, message, hint):
    with pytest.raises(UsageError) as caught:
        convert(text, kind, name="p", text=True)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_value_whose_repr_fails_still_gets_its_sentence():
    class Evil:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(UsageError, match="a Evil is not an int"):
        convert(Evil(), int, name="p")


def test_numpy_scalars_are_the_numbers_that_they_are():
    np = pytest.importorskip("numpy", reason="install numpy to try its scalars")
    same(convert(np.int64(3), int, name="p"), 3)
    same(convert(np.float32(0.5), float, name="p"), 0.5)
    same(convert(np.bool_(True), bool, name="p"), True)
    with pytest.raises(UsageError):
        convert(np.array([1]), int, name="p")


@pytest.mark.parametrize(
    ("kind", "native"),
    [
        (int, "int"),
        (bool, "bool"),
        (list, "list"),
        (list[int], "list"),
        (list[dict[str, float]], "list"),
        (list[Optional[int]], "list"),
        (List[Any], "list"),
        (dict[str, int], "dict"),
        (dict[int, int], None),
        (list[Path], None),
        (Literal["a", "b"], "str"),
        (Literal["a", 1], None),
        (Annotated[float, "x"], "float"),
        (Rows, "int"),
        (Optional[int], None),
        (tuple[int, int], None),
        (Color, None),
        (Path, None),
        (Any, None),
        (MarshalData, None),
        (None, None),
        (UNKNOWN, None),
    ],
)
def test_native_names(kind, native):
    assert native_name(kind) == native


@pytest.mark.parametrize(
    ("produced", "wanted", "fit"),
    [
        (int, int, True),
        (int, float, True),
        (float, int, False),
        (str, int, False),
        (bool, int, True),
        (int, Optional[int], True),
        (Optional[int], int, True),
        (Optional[str], int, False),
        (list[int], list[float], True),
        (list[str], list[int], False),
        (list, list[int], True),
        (dict, list, False),
        (list[int], Sequence[int], True),
        (Net, Config, False),
        (Literal["a"], str, True),
        (str, Literal["a"], True),
        (Literal["a"], Literal["b"], False),
        (int, Literal["b"], False),
        (Any, int, True),
        (UNKNOWN, int, True),
        (int, UNKNOWN, True),
        (type(None), int, False),
        (Annotated[int, "x"], str, False),
    ],
)
def test_fits(produced, wanted, fit):
    assert fits(produced, wanted) is fit


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
typed_values = st.one_of(
    st.tuples(st.integers(), st.just(int)),
    st.tuples(st.floats(allow_nan=False), st.just(float)),
    st.tuples(st.booleans(), st.just(bool)),
    st.tuples(st.text(), st.just(str)),
    st.tuples(st.lists(json_values), st.just(list)),
    st.tuples(st.dictionaries(st.text(), json_values), st.just(dict)),
    st.tuples(st.none() | st.integers(), st.just(Optional[int])),
    st.tuples(st.sampled_from(Color), st.just(Color)),
    st.tuples(st.datetimes(timezones=st.just(UTC) | st.none()), st.just(datetime)),
    st.tuples(st.dates(), st.just(date)),
    st.tuples(st.lists(st.dates()), st.just(list[date])),
    st.tuples(st.dictionaries(st.integers(), st.sampled_from(Color)), st.just(dict[int, Color])),
    st.tuples(st.text("abc/. ", min_size=1).map(Path), st.just(Path)),
    st.tuples(
        st.builds(
            Net,
            st.lists(st.integers()),
            st.floats(allow_nan=False),
            st.none() | st.sampled_from(Color),
        ),
        st.just(Net),
    ),
)


@given(typed_values)
def test_text_of_a_value_reads_back_as_the_value(case):
    value, kind = case
    same(convert(to_text(value), kind, name="p", text=True), value)


def test_a_value_without_text_is_refused():
    with pytest.raises(UsageError, match="has no text form"):
        to_text(timedelta(1))


@given(
    st.text(max_size=10),
    st.sampled_from([int, float, bool, list, dict, Color, Path, datetime, date, Net]),
)
def test_any_text_is_a_value_or_a_usage_error(text, kind):
    try:
        value = convert(text, kind, name="p", text=True)
    except UsageError:
        return
    assert isinstance(value, kind)
