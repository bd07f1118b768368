"""pandas: frames, series and indexes of every kind, alone and inside other values."""

import datetime as dt
import math
import pickle
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pip install numpy")
pd = pytest.importorskip("pandas", reason="pip install pandas")
import dateutil.tz
from hypothesis.extra import pandas as pdst
from pandas_values import (
    COLUMNS,
    DAYS,
    INDEXES,
    LONG,
    TEXT,
    assert_same_frame,
    assert_same_index,
    assert_same_series,
    same_cell,
)

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


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


@pytest.mark.parametrize("rows", [3, 100_000])
def test_a_subclass_keeps_its_class_and_attributes(roundtrip, rows):
    frame = Measured({"a": np.arange(rows)})
    frame.unit = "m"
    after = roundtrip(frame)
    assert type(after) is Measured
    assert after.unit == "m"
    assert after["a"].tolist() == list(range(rows))


def test_a_frame_may_hold_itself(roundtrip):
    frame = pd.DataFrame({"text": pd.Series([f"text {i}" for i in range(100_000)], dtype=object)})
    frame["others"] = pd.Series([None] * 100_000, dtype=object)
    frame.at[5, "others"] = frame
    after = roundtrip(frame)
    assert after.at[5, "others"] is after
    assert after.at[99_999, "text"] == "text 99999"


@pytest.mark.parametrize("zone", ["dateutil", "pytz", "offset"])
@pytest.mark.parametrize("rows", [3, 20_000])
def test_times_with_any_zone_and_frequency(roundtrip, zone, rows):
    tz = {
        "dateutil": lambda: dateutil.tz.tzoffset("X", 7200),
        "pytz": lambda: pytest.importorskip("pytz", reason="pip install pytz").timezone(
            "Asia/Tokyo"
        ),
        "offset": lambda: dt.timezone(dt.timedelta(hours=3)),
    }[zone]()
    days = pd.date_range("2024-06", periods=rows, freq=pd.DateOffset(minutes=5), tz=tz)
    frame = pd.DataFrame({"day": days, "n": np.arange(rows)}, index=days)
    after = roundtrip(frame)
    assert_same_frame(frame, after)
    assert after.index.freq == days.freq
    assert type(after.index.tz) is type(days.tz)


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


def test_a_frame_is_mapped_and_a_step_may_write_to_it(store, anonymous):
    frame = pd.DataFrame({f"c{i}": np.arange(1_000_000.0) for i in range(16)})
    frame["when"] = pd.date_range("2000", periods=1_000_000, freq="s")
    frame["kind"] = pd.Categorical.from_codes(np.arange(1_000_000) % 3, ["a", "b", "c"])
    reference = store.save(frame)
    before = anonymous()
    after = store.load(reference)
    store.settle()
    assert anonymous() - before < 32_000_000, "128 MB were copied"
    after.iloc[5, 3] = -1.0
    assert after.iloc[5, 3] == -1
    assert_same_frame(frame.head(9), store.load(reference).head(9))


@pytest.mark.parametrize("rows", [9, 100_000])
def test_a_part_of_another_frame(roundtrip, rows):
    base = pd.DataFrame(
        {
            **{f"f{i}": np.arange(9.0 * rows) for i in range(3)},
            "n": range(9 * rows),
            "s": pd.Series([f"text {i}" for i in range(9 * rows)], dtype=object),
            "k": pd.Categorical(["x", None, "z"] * 3 * rows),
        }
    )
    for part in (base[11 : 5 * rows], base.iloc[::2], base[["k", "s", "f1", "n"]], base[::-1]):
        pd.testing.assert_frame_equal(roundtrip(part), part, check_exact=True)


def test_a_frame_that_lies_row_by_row_in_memory_stays_so(roundtrip):
    frame = pd.DataFrame(np.arange(300_000.0).reshape(-1, 3), copy=False)
    after = roundtrip(frame)
    assert_same_frame(frame, after)
    assert after.to_numpy().strides == frame.to_numpy().strides


def test_a_frame_of_many_columns(store):
    frame = pd.DataFrame(np.arange(400_000.0).reshape(100, 4000)).rename(columns="c{}".format)
    assert_same_frame(frame.head(3), store.load(store.save(frame)).head(3))
    assert store.describe(store.save(frame)).size < 1.05 * len(pickle.dumps(frame, 5))


def test_text_in_an_image_without_pyarrow(store):
    """A step without pyarrow reads what one with it wrote, and the other way round."""
    code = f"""
import sys
sys.modules["pyarrow"] = None  # what an image without it has
import pandas as pd
from kalelite.marshal import Store
store = Store({str(store.folder)!r})
frame = store.load(sys.argv[1])
assert frame["s"].tolist()[8:10] == ["text 8 é", None]
print(store.save(frame))
"""
    texts = [None if i % 9 == 0 else f"text {i} é" for i in range(90_000)]
    frame = pd.DataFrame({"s": pd.Series(texts, dtype=object)})
    frame.columns = pd.Index(["s"], dtype=object)
    run = [sys.executable, "-c", code, store.save(frame)]
    reference = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
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
