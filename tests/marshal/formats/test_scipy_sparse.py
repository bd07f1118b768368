"""scipy: sparse matrices and arrays pickle exactly, with their buffers mapped."""

import warnings

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy")
sparse = pytest.importorskip("scipy.sparse", reason="pip install scipy")

KINDS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


def example(shape=(200, 100), dtype=float):
    dense = np.zeros(shape, dtype)
    dense[::7, ::3] = np.arange(dense[::7, ::3].size).reshape(dense[::7, ::3].shape)
    return dense


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix], ids=["array", "matrix"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "bool", "c16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format(roundtrip, kind, dtype, make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the example is no good dia matrix
        before = make(example(dtype=dtype)).asformat(kind)
    after = roundtrip(before)
    assert type(after) is type(before)
    assert after.dtype == before.dtype
    assert after.shape == before.shape
    assert after.nnz == before.nnz
    assert (after.toarray() == before.toarray()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_nested(roundtrip, kind):
    before = sparse.csr_array((0, 5)).asformat(kind)
    first, second = roundtrip([before, before])
    assert first is second
    assert first.shape == (0, 5)


def test_explicit_zeros_duplicates_and_order_stay(roundtrip):
    before = sparse.csr_array(
        (np.array([3.0, 0.0, 2.0]), np.array([2, 0, 0]), np.array([0, 3])), shape=(1, 3)
    )
    after = roundtrip(before)
    assert after.data.tolist() == [3, 0, 2]
    assert after.indices.tolist() == [2, 0, 0]
    assert after.indices.dtype == before.indices.dtype
    assert not after.has_canonical_format


def test_a_step_may_write_to_its_matrix(store):
    matrix = sparse.random_array(
        (2000, 2000), density=0.05, format="csr", rng=np.random.default_rng(0)
    )
    reference = store.save(matrix)
    mine = store.load(reference)
    mine.data *= 2
    mine.sum_duplicates()
    store.settle()
    assert (store.load(reference) != matrix).nnz == 0


def test_buffers_are_beside_the_pickle(store):
    matrix = sparse.random_array(
        (2000, 2000), density=0.05, format="csr", rng=np.random.default_rng(0)
    )
    manifest = store.describe(store.save(matrix))
    assert manifest.frames[0] < 2_000
    assert len(manifest.frames) == 4


def test_other_things_of_scipy(roundtrip):
    from scipy import interpolate, spatial, stats

    points = np.random.default_rng(0).random((50, 2))
    spline = interpolate.make_interp_spline(np.arange(10), np.arange(10) ** 2)
    tree = spatial.cKDTree(points)
    after_spline, after_tree, normal = roundtrip((spline, tree, stats.norm(1, 2)))
    assert after_spline(2.5) == spline(2.5)
    assert (after_tree.query(points + 0.1)[1] == tree.query(points + 0.1)[1]).all()
    assert normal.cdf(0.3) == stats.norm(1, 2).cdf(0.3)
