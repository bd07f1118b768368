"""pandas: frames, series and indexes of every kind, alone and inside other values."""

import datetime as dt
import decimal
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pip install numpy")
pd = pytest.importorskip("pandas", reason="pip install pandas")
from hypothesis.extra import pandas as pdst  # noqa: E402 - needs pandas

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = 3000  # long enough for every path that is taken for large columns only


def same_cell(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a is b or a == b


def assert_same_index(before, after):
    assert type(after) is type(before)
    assert after.dtype == before.dtype
    assert list(after.names) == list(before.names)
    pd.testing.assert_index_equal(before, after, exact=True)
    assert getattr(after, "freq", None) == getattr(before, "freq", None)
    assert getattr(after, "tz", None) is getattr(before, "tz", None) or str(after.tz) == str(
        before.tz
    )
    if isinstance(before, pd.RangeIndex):
        assert (after.start, after.stop, after.step) == (before.start, before.stop, before.step)


def assert_same_series(before, after):
    assert type(after) is type(before)
    assert after.dtype == before.dtype
    assert type(after.array) is type(before.array)
    assert same_cell(before.name, after.name)
    assert_same_index(before.index, after.index)
    if before.dtype == object:
        assert all(map(same_cell, before.tolist(), after.tolist()))
    else:
        pd.testing.assert_series_equal(before, after, check_exact=True)
    assert after.attrs == before.attrs


def assert_same_frame(before, after):
    assert type(after) is type(before)
    assert after.shape == before.shape
    assert_same_index(before.columns, after.columns)
    assert_same_index(before.index, after.index)
    assert after.attrs == before.attrs
    assert after.flags.allows_duplicate_labels == before.flags.allows_duplicate_labels
    for place in range(before.shape[1]):
        assert_same_series(before.iloc[:, place], after.iloc[:, place])


TEXT = [f"text {i} é" for i in range(LONG)]
DAYS = pd.date_range("2024-01-01", periods=LONG, freq="h")

COLUMNS = {
    "int": np.arange(LONG),
    "int8": np.arange(LONG).astype("i1"),
    "uint64": np.arange(LONG).astype("u8"),
    "float": np.where(np.arange(LONG) % 7, np.arange(LONG) / 3, np.nan),
    "float16": np.arange(LONG).astype("f2"),
    "negative zero": np.full(LONG, -0.0),
    "bool": np.arange(LONG) % 2 == 0,
    "complex": np.arange(LONG) * 1j,
    "big endian": np.arange(LONG).astype(">i4").astype("i4"),
    "date": DAYS,
    "date in s": DAYS.as_unit("s"),
    "date with gaps": pd.Series(DAYS).where(np.arange(LONG) % 2 == 0),
    "date with zone": DAYS.tz_localize("UTC").tz_convert("Europe/Berlin"),
    "fixed zone": DAYS.tz_localize(dt.timezone(dt.timedelta(hours=3))),
    "delta": pd.to_timedelta(np.arange(LONG), unit="s"),
    "period": pd.period_range("2000", periods=LONG, freq="M"),
    "interval": pd.interval_range(0, LONG, closed="both"),
    "category": pd.Categorical.from_codes(np.arange(LONG) % 3, ["b", "a", "c"]),
    "ordered category": pd.Categorical.from_codes(np.arange(LONG) % 3 - 1, ["z", "a"], ordered=True),
    "category of days": pd.Categorical(DAYS),
    "Int64": pd.array([None if i % 5 == 0 else i for i in range(LONG)], dtype="Int64"),
    "Float32": pd.array([None if i % 5 == 0 else i for i in range(LONG)], dtype="Float32"),
    "boolean": pd.array([None if i % 5 == 0 else i % 2 == 0 for i in range(LONG)], dtype="boolean"),
    "string": pd.array([None if i % 5 == 0 else t for i, t in enumerate(TEXT)], dtype="string"),
    "string of python": pd.array(TEXT, dtype="string[python]"),
    "default text": TEXT,
    "object text": pd.Series(TEXT, dtype=object),
    "repeated text": pd.Series(["a", "b", "c"] * (LONG // 3), dtype=object),
    "text with None": pd.Series([None if i % 5 == 0 else t for i, t in enumerate(TEXT)], dtype=object),
    "text with NaN": pd.Series([math.nan if i % 5 == 0 else t for i, t in enumerate(TEXT)], dtype=object),
    "text with NA": pd.Series([pd.NA if i % 5 == 0 else t for i, t in enumerate(TEXT)], dtype=object),
    "all missings": pd.Series([None, math.nan, pd.NA, pd.NaT] * (LONG // 4), dtype=object),
    "objects": pd.Series([1, 1.0, True, "1", None, b"1"] * (LONG // 6), dtype=object),
    "decimals": pd.Series([decimal.Decimal(i) / 7 for i in range(LONG)], dtype=object),
    "dates": pd.Series([dt.date(2024, 1, 1)] * LONG, dtype=object),
    "lists": pd.Series([[i] for i in range(LONG)], dtype=object),
    "sparse": pd.arrays.SparseArray(np.where(np.arange(LONG) % 50, 0.0, 1.0), fill_value=0.0),
}  # fmt: skip


@pytest.mark.parametrize("rows", [0, 1, LONG])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column(roundtrip, name, rows):
    series = pd.Series(COLUMNS[name], name=name)[:rows]
    assert_same_series(series, roundtrip(series))
    frame = series.to_frame()
    assert_same_frame(frame, roundtrip(frame))


def test_all_kinds_together_and_nested(roundtrip):
    frame = pd.DataFrame({name: pd.Series(column) for name, column in COLUMNS.items()})
    assert_same_frame(frame, roundtrip(frame))
    after = roundtrip({"frames": [frame, frame], "half": frame.iloc[::2]})
    assert after["frames"][0] is after["frames"][1]
    assert_same_frame(frame, after["frames"][0])
    assert_same_frame(frame.iloc[::2], after["half"])


@pytest.mark.parametrize("unit", ["int64", "float64", "string", "timestamp", "list", "dictionary"])
def test_arrow_backed_columns(roundtrip, unit):
    pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    numbers = range(LONG)
    array = {
        "int64": lambda: pa.array([None if i % 3 == 0 else i for i in numbers]),
        "float64": lambda: pa.array([math.nan if i % 3 else i / 2 for i in numbers]),
        "string": lambda: pa.array(TEXT),
        "timestamp": lambda: pa.array(numbers, pa.timestamp("us", "Europe/Berlin")),
        "list": lambda: pa.array([[i] for i in numbers]),
        "dictionary": lambda: pa.array(["a", None] * (LONG // 2)).dictionary_encode(),
    }[unit]()
    series = pd.Series(pd.arrays.ArrowExtensionArray(array))
    after = roundtrip(series[5:])
    assert after.dtype == series.dtype
    assert (
        after.array.__arrow_array__().equals(series[5:].array.__arrow_array__())
        or unit == "float64"
    )
    pd.testing.assert_series_equal(series[5:], after)


INDEXES = {
    "range": pd.RangeIndex(3, 3 + 2 * LONG, 2, name="r"),
    "integers": pd.Index(np.arange(LONG)[::-1], name=("a", 1)),
    "text": pd.Index(TEXT, name="t"),
    "objects": pd.Index([1, "a", None, math.nan] * (LONG // 4), dtype=object),
    "days with a frequency": DAYS,
    "days without": pd.DatetimeIndex(DAYS, freq=None),
    "business days": pd.date_range("2024", periods=LONG, freq="B", tz="America/New_York", name="d"),
    "deltas": pd.timedelta_range(0, periods=LONG, freq="min"),
    "periods": pd.period_range("2000", periods=LONG, freq="Q"),
    "intervals": pd.interval_range(0.0, LONG, closed="left"),
    "categories": pd.CategoricalIndex(["x", "y", "z"] * (LONG // 3), ordered=True),
    "levels": pd.MultiIndex.from_product([range(LONG // 3), ["a", "b", "c"]], names=["n", None]),
    "levels with unused": pd.MultiIndex.from_product([range(LONG), ["a", "b", "c"]])[:LONG],
    "duplicates": pd.Index([1, 1, 2] * (LONG // 3)),
}


@pytest.mark.parametrize("name", INDEXES)
def test_every_kind_of_index(roundtrip, name):
    index = INDEXES[name]
    assert_same_index(index, roundtrip(index))
    frame = pd.DataFrame({"a": np.arange(LONG)}, index=index)
    assert_same_frame(frame, roundtrip(frame))
    after = roundtrip(frame[:50].T)
    assert_same_frame(frame[:50].T, after)


def test_unused_levels_stay(roundtrip):
    index = INDEXES["levels with unused"]
    assert len(roundtrip(index).levels[0]) == LONG


@pytest.mark.parametrize(
    "columns",
    [["a", "a", "b"], [1, 2.5, "x"], [None, math.nan, ("t", 1)], [b"b", 0, True], ["", " ", "é"]],
    ids=str,
)
def test_odd_column_names(roundtrip, columns):
    frame = pd.DataFrame(np.arange(9).reshape(3, 3))
    frame.columns = pd.Index(columns, dtype=object, tupleize_cols=False)
    assert_same_frame(frame, roundtrip(frame))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(5)),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame({"a": pd.Series(dtype="Int8")}),
        pd.DataFrame(columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["x", "y"])),
    ],
    ids=["nothing", "rows only", "columns only", "typed", "levels"],
)
def test_empty_frames(roundtrip, frame):
    assert_same_frame(frame, roundtrip(frame))


@pytest.mark.parametrize(
    "attrs", [{"unit": "m", "n": [1, 2]}, {1: (2, 3)}, {"when": dt.date(2024, 1, 1)}], ids=str
)
def test_metadata_stays(roundtrip, attrs):
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = attrs
    assert_same_frame(frame, after := roundtrip(frame))
    assert list(map(type, after.attrs.values())) == list(map(type, attrs.values()))
    assert_same_frame(flagged := frame.set_flags(allows_duplicate_labels=False), roundtrip(flagged))


class Measured(pd.DataFrame):
    """A frame that is more than a frame."""

    _metadata = ["unit"]

    @property
    def _constructor(self):
        return Measured


def test_subclass_keeps_its_class_and_attributes(roundtrip):
    frame = Measured({"a": np.arange(LONG)})
    frame.unit = "m"
    after = roundtrip(frame)
    assert type(after) is Measured
    assert after.unit == "m"


def test_a_step_may_write_to_its_frame(store):
    frame = pd.DataFrame({"n": np.arange(LONG), "s": TEXT, "d": DAYS, "c": COLUMNS["category"]})
    reference = store.save(frame)
    mine = store.load(reference)
    mine.loc[3, "n"] = -1
    mine.loc[4, "s"] = "changed"
    mine.loc[5, "d"] = DAYS[0]
    mine.loc[6, "c"] = "b"
    mine["new"] = 1
    store.settle()
    assert_same_frame(frame, store.load(reference))


def test_a_slice_does_not_bring_its_base_along(store):
    frame = pd.DataFrame({"n": np.arange(200_000), "s": [f"text {i}" for i in range(200_000)]})
    assert store.describe(store.save(frame[:10])).size < 20_000


columns = st.sampled_from(
    [
        pdst.column(elements=st.integers(-(2**63), 2**63 - 1), dtype=np.int64),
        pdst.column(elements=st.floats(), dtype=np.float64),
        pdst.column(elements=st.booleans(), dtype=np.bool_),
        pdst.column(elements=st.text(max_size=5), dtype=object),
        pdst.column(
            elements=st.one_of(st.none(), st.text(max_size=3), st.integers(), st.floats()),
            dtype=object,
        ),
    ]
)


@quick
@given(st.data())
def test_generated_frames(roundtrip, data):
    frame = data.draw(
        pdst.data_frames(
            data.draw(st.lists(columns, max_size=4)),
            index=data.draw(
                st.sampled_from([pdst.range_indexes(), pdst.indexes(dtype=np.int64, max_size=9)])
            ),
        )
    )
    assert_same_frame(frame, roundtrip(frame))
    assert_same_frame(frame, roundtrip([frame])[0])


@quick
@given(pdst.series(elements=st.one_of(st.none(), st.text(max_size=4), st.floats()), dtype=object))
def test_generated_long_series(roundtrip, series):
    if len(series):
        series = pd.concat([series] * (LONG // len(series) + 1), ignore_index=True)
    assert_same_series(series, roundtrip(series))


def test_grouping_and_styles_of_scalars(roundtrip):
    values = [pd.Timestamp("2024", tz="Europe/Berlin"), pd.Timedelta(minutes=1), pd.Period("2024-01", "M"),
              pd.Interval(0, 1), pd.NaT, pd.NA, pd.offsets.MonthEnd(3), pd.CategoricalDtype(["a"]),
              pd.DatetimeTZDtype("us", "UTC")]  # fmt: skip
    after = roundtrip(values)
    assert all(map(same_cell, values, after))
