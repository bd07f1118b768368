"""pyarrow: tables, batches, arrays and scalars of every type."""

import datetime as dt
import decimal
import io

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy")
pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")

N = 2000
NUMBERS = [None if i % 5 == 0 else i % 100 for i in range(N)]
TEXT = [None if i % 5 == 0 else f"text {i} é" for i in range(N)]

ARRAYS = {
    "null": pa.nulls(N),
    "bool": pa.array([None if n is None else n > 3 for n in NUMBERS]),
    **{str(t): pa.array(NUMBERS, t) for t in (pa.int8(), pa.uint16(), pa.int64(), pa.float32(), pa.float64())},
    "float16": pa.array([0.5] * N, pa.float16()),
    "decimal": pa.array([None, decimal.Decimal("1.23")] * (N // 2), pa.decimal128(9, 2)),
    "date": pa.array([dt.date(2024, 1, 1), None] * (N // 2)),
    "time": pa.array(NUMBERS, pa.time64("ns")),
    "timestamp": pa.array(NUMBERS, pa.timestamp("ns", "Europe/Berlin")),
    "duration": pa.array(NUMBERS, pa.duration("us")),
    "string": pa.array(TEXT),
    "large string": pa.array(TEXT, pa.large_string()),
    "binary": pa.array([b"a", None] * (N // 2)),
    "fixed binary": pa.array([b"ab", None] * (N // 2), pa.binary(2)),
    "list": pa.array([[1, None], None, []] * N),
    "list of text": pa.array([["a"], None, []] * N),
    "fixed list": pa.array([[1, 2], None] * N, pa.list_(pa.int8(), 2)),
    "struct": pa.array([{"a": 1, "b": ["x"]}, None] * N),
    "map": pa.array([[("k", 1)], None] * N, pa.map_(pa.string(), pa.int8())),
    "dictionary": pa.array(TEXT).dictionary_encode(),
    "ordered dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None] * N, pa.int8()), ["b", "a"], ordered=True
    ),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([0, 1] * 500, pa.int8()), [pa.array(range(1000)), pa.array(TEXT[:1000])]
    ),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([10, N], pa.int32()), pa.array(["a", None])),
}  # fmt: skip


@pytest.mark.parametrize("part", [slice(None), slice(0), slice(3, 7), slice(990, None)], ids=str)
@pytest.mark.parametrize("name", ARRAYS)
def test_every_type(roundtrip, name, part):
    array = ARRAYS[name][part]
    table = pa.table({"x": array})
    for before in (array, pa.chunked_array([array]), table, table.to_batches(), [table]):
        after = roundtrip(before)
        assert type(after) is type(before)
        assert after == before
    assert roundtrip(array).type == array.type
    assert roundtrip(table).schema.equals(table.schema, check_metadata=True)
    roundtrip(table).validate(full=True)


def test_names_metadata_and_nullability(roundtrip):
    schema = pa.schema(
        [
            pa.field("a", pa.int8(), nullable=False, metadata={"unit": "m"}),
            pa.field("a", pa.string()),
            pa.field("", pa.null()),
        ],
        metadata={"k": b"\xff"},
    )
    table = pa.table([[1], ["x"], [None]], schema=schema)
    for before in (table, table.to_batches()[0], schema, schema.empty_table(), table.slice(0, 0)):
        after = roundtrip(before)
        assert type(after) is type(before)
        other, own = (v if isinstance(v, pa.Schema) else v.schema for v in (before, after))
        assert own.equals(other, check_metadata=True)
        assert after == before


def test_chunks_stay_apart(roundtrip):
    table = pa.concat_tables(
        [
            pa.table({"a": [1, 2]}),
            pa.table({"a": [3]}),
            pa.table({"a": []}, pa.schema([("a", pa.int64())])),
        ]
    )
    assert roundtrip(table) == table


def test_dictionaries_that_differ_from_chunk_to_chunk(roundtrip):
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    table = pa.table({"x": pa.chunked_array(chunks)})
    assert roundtrip(table) == table
    assert roundtrip(table)["x"].chunk(1).dictionary == chunks[1].dictionary


def test_a_table_without_columns(roundtrip):
    assert roundtrip(pa.table({})).num_columns == 0


def test_a_slice_does_not_bring_its_base_along(store):
    table = pa.table({"n": range(100_000), "s": [f"text {i}" for i in range(100_000)]})
    for value in (table[5:15], [table[5:15]], table["s"].chunk(0)[5:15], [table["s"][5:15]]):
        assert store.describe(store.save(value)).size < 20_000
        assert store.load(store.save(value)) == value


def test_scalars_keep_their_type_and_nanoseconds(roundtrip):
    scalars = [
        pa.scalar(1, pa.int8()), pa.scalar(None, pa.string()), pa.scalar(1, pa.timestamp("ns")),
        pa.scalar([1, None]), pa.scalar({"a": 1}), pa.scalar("x", pa.large_string()),
        pa.array(["a", "b"]).dictionary_encode()[1],
    ]  # fmt: skip
    after = roundtrip(scalars)
    assert [s.type for s in after] == [s.type for s in scalars]
    assert after == scalars


def test_extension_types_are_not_reduced_to_their_storage(roundtrip):
    if not hasattr(pa, "uuid"):
        pytest.skip("this pyarrow has no uuid type: pip install 'pyarrow>=18'")
    table = pa.table({"u": pa.array([b"0" * 16, None], pa.uuid())})
    assert roundtrip(table) == table
    assert roundtrip(table).schema == table.schema


def test_the_payload_is_a_file_that_pyarrow_opens(tmp_path, store):
    table = pa.table({"n": range(100_000), "s": [f"text {i}" for i in range(100_000)]})
    manifest = store.describe(store.save(table))
    assert manifest.suffix == ".arrow"
    files = [p for p in (tmp_path / "store").rglob("*.arrow") if p.is_file()]
    assert len(files) == 1
    with pa.memory_map(str(files[0])) as source:
        assert pa.ipc.open_file(source).read_all() == table


def test_large_columns_are_mapped_not_read(store, anonymous):
    reference = store.save(pa.table({"n": np.arange(16_000_000)}))
    before = anonymous()

    loaded = store.load(reference)
    store.settle()

    assert anonymous() - before < 64_000_000, "128 MB were copied"
    assert loaded["n"][-1].as_py() == 15_999_999


def test_a_reader_of_plain_files_agrees(roundtrip):
    import pyarrow.parquet as parquet

    stream = io.BytesIO()
    table = pa.table({name: ARRAYS[name] for name in ("int64", "string", "timestamp")})
    parquet.write_table(table, stream)
    read = parquet.read_table(io.BytesIO(stream.getvalue()))
    assert roundtrip(read) == read
