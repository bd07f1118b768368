"""Columns and indexes of every kind, and what it means that a frame came back."""

import datetime as dt
import decimal
import math

import numpy as np
import pandas as pd

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
