"""pandas: a large frame is a file that pyarrow, polars and pandas open, and comes back exactly."""

import datetime as dt
import json
import math
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pip install numpy")
pd = pytest.importorskip("pandas", reason="pip install pandas")
pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
from hypothesis.extra import pandas as pdst  # noqa: E402 - needs pandas
from pandas_values import (  # noqa: E402 - needs pandas
    COLUMNS,
    INDEXES,
    LONG,
    assert_same_frame,
    assert_same_series,
)
from pyarrow import feather  # noqa: E402 - needs pyarrow

from kalelite.marshal import Store  # noqa: E402 - after the libraries

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FILLING = {f"filling {i}": np.arange(float(LONG)) for i in range(4)}


def filled(frame):
    """The frame with so many columns more that it gets a file of its own."""
    return pd.concat([frame, pd.DataFrame(FILLING, index=frame.index)], axis=1)


@pytest.fixture
def opened(store):
    """What pyarrow reads from the file of a stored value, which comes back as it was."""

    def through(value):
        reference = store.save(value)
        assert store.describe(reference).encoding == "pandas.ipc/1"
        same = assert_same_frame if isinstance(value, pd.DataFrame) else assert_same_series
        same(value, store.load(reference))
        store.settle()
        table = feather.read_table(file_of(store, reference))
        table.validate(full=True)
        return table

    return through


def file_of(store, reference):
    manifest = store.describe(reference)
    (path,) = store.folder.rglob(f"{manifest.payload}{manifest.suffix}")
    assert path.suffix == ".arrow"
    return path


HIDDEN = {"dates", "complex"}
PICKLED = {"fixed zone", "period", "interval", "sparse"}
# Those that a pickle stores faster, whatever stands beside them.
PATIENT = {"lists", "objects", "decimals"}


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - PICKLED - PATIENT))
def test_others_read_what_the_column_holds(opened, name):
    series = pd.Series(COLUMNS[name], name=name)
    table = opened(filled(series.to_frame()))
    assert table["filling 2"].to_pylist() == list(range(LONG))
    if name in HIDDEN:
        assert json.loads(table.schema.metadata[b"kalelite.hidden"]) == [name]
        return
    read = table[name].to_pandas().astype(object)
    wanted = series.astype(object)
    assert read.isna().tolist() == wanted.isna().tolist()
    assert read[read.notna()].tolist() == wanted[wanted.notna()].tolist()


@pytest.mark.parametrize("name", sorted(INDEXES))
def test_the_index_is_there_for_pandas_to_find(store, opened, name):
    index = INDEXES[name]
    frame = pd.DataFrame(FILLING, index=index)
    if name in {"periods", "intervals"}:
        assert store.describe(store.save(frame)).encoding == "pickle/1"
        return
    if name == "objects":  # others have no type for numbers and texts in one column
        frame.index = pd.Index([*(f"label {i}" for i in range(LONG - 1)), None], dtype=object)
    read = pd.read_feather(file_of(store, store.save(frame)))
    opened(frame)
    names = [label if isinstance(label, str) else None for label in frame.index.names]
    assert list(read.index.names) == names
    assert read.columns.tolist() == frame.columns.tolist()
    for one, two in ((read, frame), (frame, read)):
        rows = one.index.to_frame().astype(object)
        same = rows.values == two.index.to_frame().astype(object).values
        assert same[rows.notna().values].all()


def test_polars_reads_it_too(store):
    pl = pytest.importorskip("polars", reason="pip install polars")
    names = [
        "int8", "float", "bool", "date", "date with gaps", "date with zone", "delta", "category",
        "ordered category", "Int64", "boolean", "string", "default text", "object text",
        "repeated text", "text with None", "category of days",
    ]  # fmt: skip
    names = [name for name in names if name not in PICKLED]
    frame = pd.DataFrame({name: pd.Series(COLUMNS[name]) for name in names})
    read = pl.read_ipc(file_of(store, store.save(frame)))
    assert read.columns == names
    assert read.height == LONG
    for name in names:
        known = [cell for cell in frame[name].astype(object) if not pd.isna(cell)]
        got = [cell for cell in read[name].to_list() if cell is not None and cell == cell]
        assert [str(cell) for cell in got[:50]] == [
            str(cell.to_pydatetime() if isinstance(cell, pd.Timestamp)
                else cell.to_pytimedelta() if isinstance(cell, pd.Timedelta) else cell)
            for cell in known[:50]
        ], name  # fmt: skip


def test_a_frame_from_anywhere_in_another(opened):
    base = pd.DataFrame(
        {
            **{f"f{i}": np.arange(9.0 * LONG) for i in range(3)},
            "n": range(9 * LONG),
            "b": [True] * 9 * LONG,
        }
        | {
            "s": [f"text {i}" for i in range(9 * LONG)],
            "k": pd.Categorical(["x", None, "z"] * 3 * LONG),
        }
    )
    for part in (
        base[11 : 5 * LONG],
        base.iloc[::2],
        base[["k", "s", "f1", "n", "f0"]],
        base[::-1],
    ):
        table = opened(part)
        assert table["s"].to_pylist() == part["s"].tolist()
        assert table["n"].to_pylist() == part["n"].tolist()
        assert table["k"].to_pylist() == [None if cell != cell else cell for cell in part["k"]]


def test_blocks_stay_whole_whatever_the_order_of_the_columns(store):
    frame = pd.DataFrame(
        {f"{kind}{i}": np.arange(LONG, dtype=kind) for i in range(4) for kind in ("f8", "i8", "f4")}
    )
    frame = frame.copy()
    after = store.load(store.save(frame))
    layout = [(b.values.strides, b.mgr_locs.as_array.tolist()) for b in frame._mgr.blocks]
    assert [(b.values.strides, b.mgr_locs.as_array.tolist()) for b in after._mgr.blocks] == layout
    table = feather.read_table(file_of(store, store.save(frame)))
    assert table.column_names == list(frame)
    assert table.to_pandas().equals(frame)


def test_a_frame_that_lies_row_by_row_in_memory_stays_so(store):
    frame = pd.DataFrame(np.arange(3.0 * LONG).reshape(-1, 3), copy=False)
    reference = store.save(frame)
    assert_same_frame(frame, store.load(reference))
    assert (
        store.load(reference)._mgr.blocks[0].values.strides == frame._mgr.blocks[0].values.strides
    )


@pytest.mark.parametrize(
    "labels",
    [["a", "a", "a.1", "b"], [1, "1", 2.5, None], [("a", 1), ("a", 2), "\ud800", ""], [b"x", math.nan, True, dt.date(2024, 1, 1)]],
    ids=str,
)  # fmt: skip
def test_labels_that_no_file_has(opened, labels):
    frame = pd.DataFrame(FILLING)
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    table = opened(frame)
    assert table.num_columns == 4
    assert len(set(table.column_names)) == 4
    assert table.column(1).to_pylist() == list(range(LONG))


def test_an_index_whose_name_is_that_of_a_column(opened):
    frame = pd.DataFrame(FILLING, index=pd.Index(np.arange(LONG)[::-1], name="filling 0"))
    table = opened(frame)
    assert table["filling 0"].to_pylist() == list(range(LONG))
    assert table.column(4).to_pylist() == list(range(LONG))[::-1]


def test_flags_attributes_and_names_of_columns(opened):
    frame = pd.DataFrame(FILLING, columns=pd.Index(list(FILLING), name=("x", 1)))
    frame.attrs = {"unit": {1: (2, "m")}}
    opened(frame)
    opened(frame.set_flags(allows_duplicate_labels=False))
    wide = pd.DataFrame(FILLING)
    wide.columns = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["p", None])
    assert opened(wide).column_names[0] == "('a', 1)"


@pytest.mark.parametrize("name", [None, "n", 3, ("a", 1)])
def test_series(opened, name):
    series = pd.Series(np.arange(3.0 * LONG), name=name)
    table = opened(series)
    assert table.column_names == ["0" if name is None else str(name)]
    assert table.column(0).to_pylist() == series.tolist()
    texts = pd.Series([f"text {i}" for i in range(10 * LONG)], dtype=object, name=name)
    assert opened(texts).column(0).to_pylist() == texts.tolist()


def test_what_is_missing_and_what_is_no_text(opened):
    """None, NaN, NA and NaT in text are told apart; a number in it hides the column from others."""
    texts = [
        None if i % 5 == 0 else math.nan if i % 7 == 0 else pd.NA if i % 11 == 0 else f"t{i}"
        for i in range(LONG)
    ]
    frame = pd.DataFrame({"mixed": pd.Series(texts, dtype=object)})
    frame["infinite"] = pd.Series([*texts[:-1], math.inf], dtype=object)
    frame["half a character"] = pd.Series([*texts[:-1], "\udc80"], dtype=object)
    frame["few"] = pd.Series([None, "a", "b", math.nan, "\udc80x"] * (LONG // 5), dtype=object)
    frame["equal"] = pd.Series(["".join(["e", str(i % 7)]) for i in range(LONG)], dtype=object)
    table = opened(filled(frame))
    assert table["mixed"].to_pylist() == [t if type(t) is str else None for t in texts]
    assert table["equal"].to_pylist() == frame["equal"].tolist()
    assert json.loads(table.schema.metadata[b"kalelite.hidden"]) == [
        "infinite",
        "half a character",
        "few",
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([None, True, False] * LONG), pa.array([1, None] * LONG, pa.uint16()),
        pa.array([math.nan, None, 1.5] * LONG, pa.float32()), pa.array(["é", None, "", "x"] * LONG),
        pa.array(["é", "", "x"] * LONG, pa.large_string()),
        pa.array([1, None] * LONG, pa.timestamp("s", "Asia/Tokyo")), pa.array([1, None] * LONG, pa.duration("ms")),
        pa.array(["", None] * LONG),
    ],
    ids=lambda array: str(array.type),
)  # fmt: skip
def test_arrays_of_arrow_and_their_slices(opened, array):
    for part in (array, array[8:], array[3:-3], array[LONG // 2 :]):
        series = pd.Series(pd.arrays.ArrowExtensionArray(part))
        table = opened(filled(series[:LONG].rename("x").to_frame()))
        assert table["x"].type == array.type
        assert table["x"].combine_chunks().equals(part[:LONG]) or pa.types.is_floating(array.type)
    chunked = pa.chunked_array([array[5:LONG], array[:5]])
    table = opened(filled(pd.Series(pd.arrays.ArrowExtensionArray(chunked), name="x").to_frame()))
    assert table["x"].null_count == chunked.null_count


def test_types_of_arrow_made_of_others_are_kept_and_not_shown(opened):
    arrays = {
        "list": pa.array([[1], None] * (LONG // 2)),
        "words": pa.array(["a", None] * (LONG // 2)).dictionary_encode(),
        "day": pa.array([1] * LONG, pa.date32()),
    }
    frame = pd.DataFrame(
        {n: pd.Series(pd.arrays.ArrowExtensionArray(a)) for n, a in arrays.items()}
    )
    table = opened(filled(frame))
    assert json.loads(table.schema.metadata[b"kalelite.hidden"]) == list(arrays)


def test_categories_that_columns_share_and_that_a_column_is(opened):
    kinds = pd.CategoricalDtype(["a", "b", "unused"])
    frame = pd.DataFrame({"x": pd.Series(["a", "b", None] * (LONG // 3), dtype=kinds)})
    frame["y"] = frame["x"][::-1].to_numpy()
    frame["y"] = frame["y"].astype(kinds)
    numbers = pd.Index(np.arange(LONG), name="n")
    frame["z"] = pd.Categorical.from_codes(np.arange(LONG)[::-1], numbers)
    frame.index = numbers
    table = opened(filled(frame))
    assert table["x"].to_pylist() == ["a", "b", None] * (LONG // 3)
    assert table["y"].to_pylist() == ["a", "b", None][::-1] * (LONG // 3)
    assert table["z"].to_pylist() == list(range(LONG))[::-1]
    assert table["n"].to_pylist() == list(range(LONG))


def test_it_is_mapped_and_a_step_may_write_to_it(store, anonymous):
    frame = pd.DataFrame({f"c{i}": np.arange(1_000_000.0) for i in range(16)})
    frame["text"] = pd.array(["x"] * 1_000_000, dtype="string[pyarrow]")
    reference = store.save(frame)
    before = anonymous()
    after = store.load(reference)
    store.settle()
    assert anonymous() - before < 32_000_000, "128 MB were copied"
    after.iloc[5, 3] = -1.0
    after.loc[6, "text"] = "y"
    assert after.iloc[5, 3] == -1
    assert_same_frame(frame.head(9), store.load(reference).head(9))


def test_it_is_in_view_without_pyarrow_and_read_without(tmp_path):
    """A step whose image has no pyarrow writes and reads the same file."""
    code = f"""
import sys
sys.modules["pyarrow"] = None  # what an image without it says
import numpy as np, pandas as pd
from kalelite.marshal import Store
del sys.modules["pyarrow"]
store = Store({str(tmp_path)!r})
texts = [None if i % 9 == 0 else f"text {{i}} é" for i in range(9000)]
frame = pd.DataFrame({{"n": np.arange(9000), "s": pd.Series(texts, dtype=object)}})
if len(sys.argv) > 1:
    pd.testing.assert_frame_equal(store.load(sys.argv[1]), frame)
print(store.save(frame))
"""
    run = [sys.executable, "-c", code]
    reference = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    store = Store(tmp_path)
    table = feather.read_table(file_of(store, reference))
    assert table["s"].to_pylist()[8:10] == ["text 8 é", None]
    frame = store.load(reference)
    assert frame["s"].tolist()[8:10] == ["text 8 é", None]
    again = store.save(frame)
    subprocess.run([*run, again], capture_output=True, text=True, check=True)


cells_of = {
    np.int64: st.integers(-(2**63), 2**63 - 1),
    np.float32: st.floats(width=32),
    np.bool_: st.booleans(),
    object: st.one_of(st.none(), st.text(max_size=3), st.just(math.nan)),
}
columns = st.sampled_from(
    [pdst.column(elements=elements, dtype=dtype) for dtype, elements in cells_of.items()]
)


@quick
@given(st.data())
def test_generated_frames(opened, data):
    frame = data.draw(
        pdst.data_frames(
            data.draw(st.lists(columns, min_size=1, max_size=4)),
            index=pdst.range_indexes(min_size=3, max_size=9),
        )
    )
    frame = filled(pd.concat([frame] * LONG, ignore_index=True)[:LONG])
    table = opened(frame)
    hidden = json.loads(table.schema.metadata.get(b"kalelite.hidden", b"[]"))
    for name in set(map(str, frame)) - set(hidden):
        column = frame[name] if name in frame else frame[int(name)]
        read = table[name].to_pylist()
        known = column.notna().tolist()
        assert [cell for cell, there in zip(read, known) if there] == column[known].tolist()
