"""Trees of data: frames are stored so, and everything else in a store without pickles."""

import collections
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalelite.errors import MarshalError, UnmarshallableError
from kalelite.marshal import Store
from kalelite.marshal.decode import decode

np = pytest.importorskip("numpy", reason="pip install numpy")

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def data_only(tmp_path):
    return Store(tmp_path / "data", formats="data-only")


@pytest.fixture
def back(data_only):
    def through(value):
        loaded = data_only.load(reference := data_only.save(value))
        data_only.settle()
        manifest = data_only.describe(reference)
        assert "pickle" not in manifest.encoding
        return loaded

    return through


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers().map(lambda n: n * 10**90),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(codec=None), max_size=4),
    st.binary(max_size=4),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
)
keys = st.one_of(st.text(max_size=3), st.integers(), st.none(), st.tuples(st.integers()))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict),
        st.sets(st.integers(0, 5)),
        st.frozensets(st.text(max_size=3), max_size=1),
        st.binary(max_size=4).map(bytearray),
    ),
    max_leaves=12,
)


@quick
@given(values)
def test_plain_data_of_any_kind(back, value):
    assert repr(back(value)) == repr(value)  # which tells types, NaN and the sign of zero


def test_bits_of_a_nan_come_back(back):
    odd = np.array([0xFFF8000000000123], "u8").view("f8")[0].item()
    assert np.array([back(odd)]).view("u8")[0] == 0xFFF8000000000123


def test_identity_and_cycles_within_a_value(back):
    array = np.arange(3)
    inner = [array]
    inner.append(inner)
    after = back({"a": inner, "b": (inner, array)})
    assert after["a"] is after["b"][0] is after["a"][1]
    assert after["a"][0] is after["b"][1]


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", None, 1.5], object),
        np.array([f"text {i}" for i in range(5_000)], object).reshape(100, 50),
        np.array([None if i % 3 else f"é{i}" for i in range(5_000)], object),
        np.array([i if i % 3 else f"é{i}" for i in range(5_000)], object),
        np.zeros((0, 3), "i2"),
        np.array(5),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_inside(back, array):
    after = back([array])[0]
    assert after.dtype == array.dtype
    assert after.strides == array.strides or not array.size
    assert after.tolist() == array.tolist()


def test_torch_state_dict_and_shared_memory(back):
    torch = pytest.importorskip("torch", reason="pip install torch")
    state = torch.nn.BatchNorm1d(4).state_dict()
    after = back(state)
    assert type(after) is type(state)
    assert after._metadata == state._metadata
    assert all(torch.equal(after[name], state[name]) for name in state)
    whole = torch.arange(100_000.0)
    after = back({"whole": whole, "view": whole[10:20], "parameter": torch.nn.Parameter(whole[:3])})
    after["whole"][12] = -1
    assert after["view"][2] == -1
    assert type(after["parameter"]) is torch.nn.Parameter
    assert after["parameter"].requires_grad


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices(back, form, kind):
    sparse = pytest.importorskip("scipy.sparse", reason="pip install scipy")
    dense = np.diag(np.arange(5.0)) + np.eye(5, k=1)
    matrix = getattr(sparse, f"{form}_{kind}")(dense)
    after = back({"m": matrix})["m"]
    assert type(after) is type(matrix)
    assert after.dtype == matrix.dtype
    assert (after.toarray() == dense).all()
    assert (after @ after).toarray().tolist() == (dense @ dense).tolist()


def test_tables_of_three_libraries_together(back):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    pl = pytest.importorskip("polars", reason="pip install polars")
    pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", None]}, index=pd.Index(["p", "q"], name="i"))
    table = pa.table({"a": [1, None]})
    after = back({"pandas": frame, "polars": pl.DataFrame({"a": ["x"]}), "arrow": table})
    pd.testing.assert_frame_equal(after["pandas"], frame)
    assert after["polars"].equals(pl.DataFrame({"a": ["x"]}))
    assert after["arrow"].equals(table)


@pytest.mark.parametrize("mode", ["all", "data-only"])
def test_a_plain_frame_is_no_pickle(tmp_path, mode):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    store = Store(tmp_path, formats=mode)
    days = pd.date_range("2024", periods=10_000, freq="h", tz="UTC")
    frame = pd.DataFrame(
        {
            "number": range(10_000),
            "text": [f"t{i}" for i in range(10_000)],
            "kind": pd.Categorical(["a", "b"] * 5_000),
            "object": np.array([None, "x"] * 5_000, dtype=object),
            "missing": pd.Series(dtype=object),
        },
        index=days,
    )
    for value in (frame, frame["text"], frame.reset_index().set_index(["kind", "number"])):
        for part, encoding in ((value, "pandas.ipc/1"), (value[:9], "data.tree/1")):
            reference = store.save(part)
            assert store.describe(reference).encoding == encoding
            assert store.load(reference).equals(part)


def test_a_frame_that_needs_a_pickle_gets_one_or_is_refused_by_name(tmp_path):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    frame = pd.DataFrame({"p": pd.period_range("2024", periods=3, freq="D")})
    store = Store(tmp_path)
    assert store.describe(store.save(frame)).encoding == "pickle/1"
    with pytest.raises(UnmarshallableError, match=r"out\['f'\].*only a pickle"):
        Store(tmp_path, formats="data-only").save({"f": frame}, name="out")


def test_a_tree_brings_no_pickle_in(data_only):
    """Whoever writes to the store by hand gets no code run either."""
    manifest = data_only.describe(data_only.save([np.arange(3)]))
    node = json.dumps(["format", "pickle/1", {}, 0, 1]).encode()
    with pytest.raises(MarshalError, match="pickle/1 in a tree of data"):
        decode(manifest, [memoryview(node), memoryview(b"...")], data_only=True)
