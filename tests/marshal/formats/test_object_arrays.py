"""Arrays of dtype object: text, repeated objects, and anything in between."""

import math
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pip install numpy")

quick = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIZE = 33_000  # shorter arrays are left to pickle


class Name(str):
    """A str that is more than a str."""


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)
    return a == b


def objects(items, shape=None):
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array if shape is None else array.reshape(shape)


def assert_same(before, after):
    assert type(after) is np.ndarray
    assert after.dtype == before.dtype
    assert after.shape == before.shape
    assert all(map(same, before.ravel().tolist(), after.ravel().tolist()))


SEPARATORS = "\n\0\x1f\x01\x02\x03\x04\x05"
texts = st.text(
    st.one_of(st.characters(exclude_categories=[]), st.sampled_from(SEPARATORS + "aé日😀"))
)
scalars = st.one_of(
    texts,
    st.sampled_from(
        [None, math.nan, -0.0, True, 1, 1.0, "", Name("n"), np.str_("s"), b"b", (1, 2), [3]]
    ),
)


@quick
@given(st.lists(texts, min_size=1, max_size=12), st.integers(0, 2**32))
def test_strings_of_every_kind_come_back(roundtrip, items, seed):
    picks = np.random.default_rng(seed).integers(0, len(items), SIZE)
    column = objects([items[p] + str(i) for i, p in enumerate(picks)])
    assert_same(column, roundtrip(column))


@quick
@given(st.lists(scalars, min_size=1, max_size=30), st.integers(0, 2**32), st.floats(0, 1))
def test_mixed_objects_come_back_with_their_types(roundtrip, items, seed, share):
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(items), SIZE)
    unique = generator.random(SIZE) < share
    column = objects(
        [f"unique {i}" if u else items[p] for i, (p, u) in enumerate(zip(picks, unique))]
    )
    assert_same(column, roundtrip(column))


@pytest.fixture(params=["with pyarrow", "without pyarrow", "read without pyarrow"], autouse=True)
def arrow(request, monkeypatch, store):
    """Whether the user's code has imported pyarrow, when it saves and when it loads."""
    if request.param == "without pyarrow":
        monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
        return
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    if request.param == "read without pyarrow":
        load = store.load

        def without(reference):
            with monkeypatch.context() as patch:
                patch.delitem(sys.modules, "pyarrow")
                return load(reference)

        monkeypatch.setattr(store, "load", without)


@pytest.mark.parametrize("size", [1, 32_767, 32_768, 70_000])
def test_every_length_comes_back(roundtrip, size):
    column = objects([f"{i} of {size}" for i in range(size)])
    assert_same(column, roundtrip(column))


def test_lone_surrogates_survive_beside_each_other(roundtrip):
    column = objects(
        ["\ud800", "\udc00", "\ud83d\ude00"[0]] * 500 + [f"\udfff{i}" for i in range(SIZE)]
    )
    assert_same(column, roundtrip(column))


@pytest.mark.parametrize("kinds", ["None", "nan", "NA", "NaT", "None nan NA NaT", "None nan"])
def test_missing_values_of_different_kinds_stay_apart(roundtrip, kinds):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    missing = [
        {"None": None, "nan": math.nan, "NA": pd.NA, "NaT": pd.NaT}[k] for k in kinds.split()
    ]
    column = objects(
        [missing[i % len(missing)] if i % 5 == 0 else f"text {i}" for i in range(SIZE)]
    )
    after = roundtrip(column)
    for a, b in zip(column, after, strict=True):
        assert type(a) is type(b)
        assert isinstance(a, float) or a is b or a == b


def test_one_object_in_many_places_stays_one_object(roundtrip):
    pytest.importorskip("pandas", reason="pip install pandas")
    pool = [["mutable", i] for i in range(5)]
    column = objects([pool[i % 5] for i in range(SIZE)])
    after, again, first = roundtrip((column, column, pool[0]))
    assert after is again
    assert len(set(map(id, after))) == 5
    assert after[0] is first
    after[0].append("seen")
    assert after[5] == ["mutable", 0, "seen"]


def test_equal_strings_that_are_different_objects_do_not_become_one_list(roundtrip):
    column = objects([[str(i % 3)] for i in range(SIZE)])
    after = roundtrip(column)
    assert len(set(map(id, after))) == SIZE


def test_repeated_strings_take_no_more_memory_than_before(roundtrip):
    pytest.importorskip("pandas", reason="pip install pandas")
    pool = [f"category {i}" for i in range(50)]
    column = objects([pool[i % 50] for i in range(SIZE)])
    assert len(set(map(id, roundtrip(column)))) == 50


def test_equal_strings_made_anew_become_few(roundtrip):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    column = objects([None if i % 3 == 0 else f"é{i % 7}" for i in range(SIZE)])
    after = roundtrip(column)
    assert_same(column, after)
    if "pyarrow" in sys.modules:
        assert len(set(map(id, after))) == 8


def test_a_str_that_is_more_than_a_str_stays_so_among_equals(roundtrip):
    column = objects([f"a{i % 7}" for i in range(SIZE)])
    for odd in (Name("a6"), np.str_("a0"), b"a1", 1, math.inf):
        column[13] = odd
        assert_same(column, roundtrip(column))


def test_an_array_may_contain_itself(roundtrip):
    column = objects([f"text {i}" for i in range(SIZE)])
    column[7] = column
    after = roundtrip(column)
    assert after[7] is after
    assert after[8] == "text 8"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3, SIZE), (SIZE, 3), (10, 20, 200)])
def test_shape_and_order_come_back(roundtrip, shape, order):
    array = np.asarray(objects([f"text {i}" for i in range(math.prod(shape))], shape), order=order)
    after = roundtrip([array])[0]
    assert_same(array, after)
    assert after.flags.f_contiguous == array.flags.f_contiguous
    assert after.flags.c_contiguous == array.flags.c_contiguous


def test_every_second_element(roundtrip):
    column = objects([f"text {i}" for i in range(2 * SIZE)])[::2]
    assert_same(column, roundtrip(column))


def test_what_comes_back_is_the_steps_own(store):
    column = objects([f"text {i}" for i in range(SIZE)])
    reference = store.save(column)
    store.load(reference)[:] = "changed"
    assert_same(column, store.load(reference))
