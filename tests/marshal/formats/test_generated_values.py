"""Generated values of the libraries that have no strategies of their own come back as they were."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pip install numpy")

quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
shapes = st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)


def numbers(seed, shape):
    return np.random.default_rng(seed).normal(size=shape)


@quick
@given(
    seeds, st.sampled_from(["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"]), st.integers(0, 9)
)
def test_random_generators(roundtrip, seed, name, drawn):
    generator = np.random.Generator(getattr(np.random, name)(seed))
    generator.integers(0, 9, drawn, dtype="u1")  # which keeps bits for the next
    state, old = roundtrip((generator, np.random.RandomState(seed)))
    assert (
        state.integers(0, 256, 9, dtype="u1").tolist()
        == generator.integers(0, 256, 9, dtype="u1").tolist()
    )
    assert old.normal(size=3).tolist() == np.random.RandomState(seed).normal(size=3).tolist()


@quick
@given(st.data())
def test_tables_of_arrow(roundtrip, data):
    pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    cells = {
        pa.int8(): st.integers(-128, 127), pa.float64(): st.floats(allow_nan=False),
        pa.string(): st.text(max_size=5), pa.large_binary(): st.binary(max_size=5),
        pa.bool_(): st.booleans(), pa.list_(pa.int16()): st.lists(st.integers(0, 9), max_size=3),
        pa.timestamp("us", "UTC"): st.integers(0, 2**40), pa.dictionary(pa.int8(), pa.string()): st.sampled_from("ab"),
    }  # fmt: skip
    rows = data.draw(st.integers(0, 9))
    columns = {}
    for place, kind in enumerate(data.draw(st.lists(st.sampled_from(list(cells)), max_size=4))):
        cell = st.none() | cells[kind]
        items = data.draw(st.lists(cell, min_size=rows, max_size=rows))
        columns[f"c{place}"] = pa.array(items, kind)
    start = data.draw(st.integers(0, rows))
    table = pa.table(columns).slice(start) if columns else pa.table({})
    for after in (roundtrip(table), roundtrip([table])[0]):
        assert after.equals(table)
        assert after.schema.equals(table.schema, check_metadata=True)


@quick
@given(st.data())
def test_frames_of_polars(roundtrip, data):
    pl = pytest.importorskip("polars", reason="pip install polars")
    cells = {
        pl.Int8: st.integers(-128, 127), pl.Float32: st.floats(width=32), pl.String: st.text(max_size=5),
        pl.Binary: st.binary(max_size=5), pl.Boolean: st.booleans(), pl.Date: st.dates(),
        pl.List(pl.Int64): st.lists(st.integers(0, 9), max_size=3), pl.Categorical: st.sampled_from("abc"),
        pl.Enum(["a", "b"]): st.sampled_from("ab"), pl.Struct({"x": pl.Int8}): st.fixed_dictionaries({"x": st.integers(0, 9)}),
    }  # fmt: skip
    rows = data.draw(st.integers(0, 9))
    series = []
    for place, kind in enumerate(data.draw(st.lists(st.sampled_from(list(cells)), max_size=4))):
        items = data.draw(st.lists(st.none() | cells[kind], min_size=rows, max_size=rows))
        series.append(pl.Series(f"c{place}", items, dtype=kind))
    repeat = data.draw(st.sampled_from([1, 40_000]))
    frame = pl.concat([pl.DataFrame(series)] * repeat, rechunk=True)
    for after in (roundtrip(frame), roundtrip({"f": frame})["f"]):
        assert after.schema == frame.schema
        assert after.equals(frame)


@quick
@given(seeds, st.tuples(st.integers(1, 6), st.integers(1, 6)), st.floats(0, 1), st.booleans(), st.booleans(),
       st.sampled_from(["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]), st.sampled_from(["f4", "f8", "i2", "c16"]))  # fmt: skip
def test_sparse_matrices(roundtrip, seed, shape, density, array, nested, form, dtype):
    sparse = pytest.importorskip("scipy.sparse", reason="pip install scipy")
    dense = np.where(
        np.random.default_rng(seed).random(shape) < density, numbers(seed, shape) * 9, 0
    )
    value = getattr(sparse, f"{form}_{'array' if array else 'matrix'}")(dense.astype(dtype))
    after = roundtrip([value])[0] if nested else roundtrip(value)
    assert type(after) is type(value)
    assert (after.dtype, after.shape, after.nnz) == (value.dtype, value.shape, value.nnz)
    assert (after.toarray() == value.toarray()).all()


@quick
@given(seeds, shapes, st.sampled_from(["float32", "float16", "bfloat16", "int8", "bool", "complex64"]),
       st.permutations(range(3)), st.integers(1, 2), st.booleans())  # fmt: skip
def test_tensors_and_their_views(roundtrip, seed, shape, dtype, axes, step, leaf):
    torch = pytest.importorskip("torch", reason="pip install torch")
    base = torch.from_numpy(numbers(seed, shape)).to(getattr(torch, dtype))
    view = base.permute([axis for axis in axes if axis < base.ndim])[::step]
    if leaf and dtype.startswith(("float", "bfloat")):
        view = view.clone().requires_grad_()
    after, whole = roundtrip((view, base))
    for one, two in ((after, view), (whole, base)):
        assert (one.dtype, one.shape, one.stride()) == (two.dtype, two.shape, two.stride())
        assert one.requires_grad == two.requires_grad
        assert torch.equal(one, two)
    shared = after.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
    assert shared == (view.untyped_storage().data_ptr() == base.untyped_storage().data_ptr())


@quick
@given(st.sampled_from(["1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F", "LA", "HSV", "I;16"]),
       st.tuples(st.integers(1, 7), st.integers(1, 7)), seeds)  # fmt: skip
def test_images(roundtrip, mode, size, seed):
    image_module = pytest.importorskip("PIL.Image", reason="pip install pillow")
    blank = image_module.new(mode, size)
    data = np.random.default_rng(seed).bytes(len(blank.tobytes()))
    image = image_module.frombytes(mode, size, data)
    image.info["seed"] = seed
    after = roundtrip(image)
    assert (after.mode, after.size, after.tobytes(), after.info) == (
        mode,
        size,
        image.tobytes(),
        image.info,
    )


@quick
@given(seeds, st.integers(1, 3), st.booleans())
def test_estimators(roundtrip, seed, depth, nested):
    tree = pytest.importorskip("sklearn.tree", reason="pip install scikit-learn")
    x = numbers(seed, (40, 3))
    model = tree.DecisionTreeRegressor(max_depth=depth, random_state=seed).fit(x, x.sum(1))
    after = roundtrip({"m": model})["m"] if nested else roundtrip(model)
    assert (after.predict(x) == model.predict(x)).all()
    assert after.get_params() == model.get_params()


@quick
@given(
    st.lists(
        st.tuples(st.text("ab.é \n", min_size=1, max_size=6), st.binary(max_size=9)), max_size=5
    )
)
def test_folders(roundtrip, tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("made") / "folder"
    folder.mkdir()
    known = {}
    for name, data in files:
        if name not in {".", ".."}:
            (folder / name).write_bytes(data)
            known[name] = data
    after = roundtrip(folder)
    assert {path.name: path.read_bytes() for path in after.iterdir()} == known
