"""polars: frames and series of every type, with and without pyarrow at hand."""

import datetime as dt
import decimal
import sys

import pytest

pl = pytest.importorskip("polars", reason="pip install polars")

REPEAT = 30_000  # large enough for a file of its own, and for one inside a pickle
SERIES = {
    "int": [1, 2, None],
    "float": [1.0, float("nan"), None],
    "text": ["a", None, "é😀 and more than twelve bytes"],
    "bytes": [b"1", None, b""],
    "bool": [True, None, False],
    "date": [dt.date(2020, 1, 1), None, dt.date(1900, 1, 1)],
    "datetime": [dt.datetime(2020, 1, 1), None, dt.datetime(2021, 1, 1)],
    "time": [dt.time(1), None, dt.time(2)],
    "duration": [dt.timedelta(1), None, dt.timedelta(2)],
    "list": [[1], None, []],
    "struct": [{"a": 1}, None, {"a": None}],
    "null": [None] * 3,
    "decimal": [decimal.Decimal("1.1"), None, decimal.Decimal("2.2")],
}
SERIES = {name: pl.Series(name, values) for name, values in SERIES.items()} | {
    "int8": pl.Series("x", [1, 2, None], dtype=pl.Int8),
    "uint64": pl.Series("x", [1, 2**64 - 1, None], dtype=pl.UInt64),
    "int128": pl.Series("x", [1, 2**100, None], dtype=pl.Int128),
    "float32": pl.Series("x", [1, 2, None], dtype=pl.Float32),
    "category": pl.Series("x", ["a", "b", None], dtype=pl.Categorical),
    "enum": pl.Series("x", ["a", "b", None], dtype=pl.Enum(["c", "b", "a"])),
    "zone": pl.Series(
        "x", [dt.datetime(2020, 1, 1)] * 3, dtype=pl.Datetime("ns")
    ).dt.replace_time_zone("Europe/Berlin"),
    "array": pl.Series("x", [[1, 2], [3, 4], None], dtype=pl.Array(pl.Int8, 2)),
    "list of categories": pl.Series("x", [["a"], ["b", None], None], dtype=pl.List(pl.Categorical)),
    "no name": pl.Series("", [1.5, 2.5, 3.5]),
    "nothing": pl.Series("x", [], dtype=pl.Float32),
}


@pytest.fixture(params=["with pyarrow", "without pyarrow"])
def arrow(request, monkeypatch):
    """Whether the user's code has imported pyarrow."""
    if request.param == "with pyarrow":
        pytest.importorskip("pyarrow", reason="pip install pyarrow")
    else:
        monkeypatch.delitem(sys.modules, "pyarrow", raising=False)


def assert_same(before, after):
    assert type(after) is type(before)
    if isinstance(before, pl.Series):
        assert after.dtype == before.dtype
        assert after.name == before.name
        assert after.flags == before.flags
        assert after.equals(before, null_equal=True)
    else:
        assert after.schema == before.schema
        assert after.height == before.height
        assert after.equals(before)
        assert after.flags == before.flags


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize("repeat", [1, 500, REPEAT])
@pytest.mark.parametrize("name", SERIES)
def test_every_type(roundtrip, name, repeat):
    series = pl.concat([SERIES[name]] * repeat, rechunk=repeat == REPEAT)
    if repeat == REPEAT:
        series = pl.concat([series, series])
    for value in (series, series[1:], series.to_frame(), series.to_frame().clear()):
        assert_same(value, roundtrip(value))
        assert_same(value, roundtrip([value])[0])


@pytest.mark.usefixtures("arrow")
def test_what_is_known_to_be_sorted_stays_known(roundtrip):
    size = 4 * REPEAT
    frame = pl.DataFrame(
        {"up": range(size), "down": range(size, 0, -1), "x": [1, 3, 2, 4] * REPEAT}
    )
    frame = frame.with_columns(
        pl.col("up").set_sorted(), pl.col("down").set_sorted(descending=True)
    )
    assert_same(frame, roundtrip(frame))
    assert_same(frame, roundtrip({"f": frame})["f"])


@pytest.mark.parametrize(
    "frame", [pl.DataFrame(), pl.DataFrame({"a": []}), pl.DataFrame({"a": [1], "b": ["x"]})]
)
def test_small_and_empty_frames(roundtrip, frame):
    assert_same(frame, roundtrip(frame))


def test_one_frame_in_two_places_stays_one(roundtrip):
    frame = pl.DataFrame({"a": range(1000)})
    first, second = roundtrip([frame, frame])
    assert first is second


@pytest.mark.parametrize("repeat", [1, REPEAT])
def test_python_objects(roundtrip, repeat):
    items = [1, "a", None, (1, 2), {"k": [1]}] * repeat
    series = pl.Series("o", items, dtype=pl.Object)
    assert roundtrip(series).to_list() == items
    frame = pl.DataFrame([series, pl.Series("n", range(len(items)))])
    after = roundtrip(frame)
    assert after.schema == frame.schema
    assert after["o"].to_list() == items
    assert after["n"].equals(frame["n"])


def test_lazy_frames_and_expressions(roundtrip):
    lazy = pl.DataFrame({"a": range(10)}).lazy().filter(pl.col("a") > 3)
    assert roundtrip(lazy).collect().equals(lazy.collect())
    assert roundtrip(pl.col("a") + 1).meta.eq(pl.col("a") + 1)


@pytest.mark.usefixtures("arrow")
def test_the_payload_is_a_file_that_polars_opens(tmp_path, store):
    frame = pl.DataFrame({"n": range(100_000), "s": [f"text {i}" for i in range(100_000)]})
    store.save(frame)
    (file,) = (p for p in (tmp_path / "store").rglob("*.arrow") if p.is_file())
    assert pl.read_ipc(file).equals(frame)


def test_written_with_pyarrow_read_without(store, monkeypatch):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    names = ("int", "text", "list", "datetime")
    frame = pl.DataFrame([pl.concat([SERIES[n]] * REPEAT, rechunk=True).alias(n) for n in names])
    reference = store.save(frame)
    monkeypatch.delitem(sys.modules, "pyarrow")
    assert_same(frame, store.load(reference))
