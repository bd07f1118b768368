"""What comes back equals what went in, type included, or saving fails."""

import collections
import contextvars
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import math
import socket
import sqlite3
import sys
import threading
import types
import uuid
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kalelite.errors import UnmarshallableError
from kalelite.marshal import Store

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def back(store, value):
    value = store.load(store.save(value))
    store.settle()
    return value


def same(one, two):
    """Equal in type and value, all the way down; NaN is NaN, and -0.0 is not 0.0."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float):
        return repr(one) == repr(two)
    return one == two


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers(allow_nan=False)
    | st.binary()
    | st.text(st.characters())
    | st.just(...)
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc))
    | st.uuids()
    | st.fractions()
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


@given(plain)
@QUICK
def test_plain_data(store, value):
    assert same(back(store, value), value)


def same_array(one, two):
    assert type(one) is type(two)
    assert one.dtype == two.dtype
    assert one.dtype.str == two.dtype.str
    assert one.shape == two.shape
    assert one.flags.writeable == two.flags.writeable
    if two.size > 1 and two.flags.forc:
        assert one.flags.c_contiguous == two.flags.c_contiguous
        assert one.flags.f_contiguous == two.flags.f_contiguous
    assert one.tobytes() == two.tobytes()


dtypes = (
    hnp.scalar_dtypes()
    | hnp.byte_string_dtypes()
    | hnp.unicode_string_dtypes()
    | hnp.array_dtypes(hnp.scalar_dtypes())
    | hnp.array_dtypes(hnp.nested_dtypes())
)
orders = [
    lambda a: a,
    np.asfortranarray,
    lambda a: a.T,
    lambda a: a[..., ::-1] if a.ndim else a,
    lambda a: a[::2] if a.ndim else a,
    lambda a: np.moveaxis(a, 0, -1) if a.ndim else a,
    lambda a: np.broadcast_to(a, (3, *a.shape)),
    lambda a: a.view(np.memmap),
]


@given(st.data())
@QUICK
def test_arrays_of_every_dtype_and_order(store, data):
    shape = data.draw(hnp.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4))
    dtype = data.draw(dtypes)
    raw = data.draw(st.randoms(use_true_random=False)).randbytes(max(dtype.itemsize, 1) * 256)
    if dtype.kind in "SU" or any(c in str(dtype) for c in "US"):
        raw = bytes(len(raw))
    size = math.prod(shape) * dtype.itemsize
    array = np.ndarray(shape, dtype, buffer=bytearray(raw[:size] if size else b"\0" * 8))
    array = data.draw(st.sampled_from(orders))(array)
    if data.draw(st.booleans()):
        array.flags.writeable = False
    same_array(back(store, array), array)
    inside = back(store, {"a": [array, array]})["a"]
    assert inside[0] is inside[1]
    assert inside[0].dtype == array.dtype
    assert inside[0].tobytes() == array.tobytes()


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("order", range(len(orders)))
def test_large_arrays_keep_their_order_inside_and_outside_of_values(store, size, order):
    array = orders[order](np.arange(size * 6.0).reshape(size, 2, 3))
    same_array(back(store, array), array)
    inside = back(store, [array])[0]
    assert type(inside) is type(array)
    assert (inside == array).all()
    assert inside.flags.writeable == array.flags.writeable


@pytest.mark.parametrize("code", [*np.typecodes["All"].replace("O", "").replace("V", "")])
def test_scalars_of_every_type(store, code):
    dtype = np.dtype(
        "M8[us]"
        if code == "M"
        else "m8[ns]"
        if code == "m"
        else "S3"
        if code in "SV"
        else "U3"
        if code == "U"
        else code
    )
    if code in "gG":
        value = np.ones(1, dtype)[0] / 3
    else:
        raw = bytes(dtype.itemsize) if code in "UM" else b"1" * dtype.itemsize
        value = np.frombuffer(raw, dtype)[0]
    again = back(store, value)
    assert type(again) is type(value)
    assert again.dtype == value.dtype
    assert again == value


class Labelled(np.ndarray):
    """A subclass with something of its own, as numpy's documentation shows."""

    def __array_finalize__(self, obj):
        self.label = getattr(obj, "label", None)


ODD_ARRAYS = {
    "object": np.array([1, "a", None, [2], {}], dtype=object),
    "many objects": np.array([str(i) for i in range(3000)], dtype=object),
    "read-only objects": np.array([1, None], dtype=object),
    "matrix": np.arange(4).reshape(2, 2).view(np.matrix),
    "record": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "void": np.array([b"abc", b"d"], dtype="V3"),
    "aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "gaps": np.zeros(
        2,
        np.dtype(
            {"names": ["a", "b"], "formats": ["i4", "f8"], "offsets": [4, 16], "itemsize": 40}
        ),
    ),
    "titles": np.zeros(2, np.dtype([(("Title", "a"), "i4")])),
    "object field": np.array([(1, [2])], dtype=[("a", "i4"), ("b", object)]),
    "metadata": np.zeros(3, np.dtype("i4", metadata={"unit": "m"})),
    "sub-array": np.zeros(2, np.dtype([("a", "f4", (2, 3))])),
    "longdouble": np.array([1, 2], dtype=np.longdouble) / 3,
    "NaT": np.array(["NaT", "2020-01-01"], dtype="M8[D]"),
    "empty": np.zeros((0, 5, 0), dtype=">f4", order="F"),
    "zero itemsize": np.array([b"", b""], dtype="S0"),
    "empty, for a pickle": np.zeros(0, np.dtype([("\u0100", "?")])),
    "empty and read-only": np.zeros(0, np.dtype([("\u0100", "?")])),
}
ODD_ARRAYS["empty and read-only"].flags.writeable = False
ODD_ARRAYS["read-only objects"].flags.writeable = False


@pytest.mark.parametrize("name", ODD_ARRAYS)
def test_odd_arrays(store, name):
    array = ODD_ARRAYS[name]
    again = back(store, array)
    assert type(again) is type(array)
    assert again.dtype == array.dtype
    assert again.dtype.metadata == array.dtype.metadata
    assert again.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert again.dtype.type is array.dtype.type
    assert repr(again) == repr(array)
    assert again.flags.writeable == array.flags.writeable


def test_a_subclass_keeps_its_state(store):
    array = np.arange(3.0).view(Labelled)
    array.label = "x"
    for again in (back(store, array), back(store, [array])[0]):
        assert type(again) is Labelled
        assert again.label == "x"
        assert (again == array).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.ma.masked_array([1, 2, 3]),
        lambda: np.ma.masked_array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
        lambda: np.ma.masked_array([1, 2, 3], mask=[0, 1, 0], hard_mask=True),
        lambda: np.ma.masked_array(np.zeros((3, 2), order="F"), mask=True),
        lambda: np.ma.masked_array(np.arange(100_000.0), mask=np.arange(100_000) % 2),
        lambda: np.ma.array([(1, 2.0)], mask=[(1, 0)], dtype=[("a", int), ("b", float)]),
    ],
)
def test_masked_arrays(store, make):
    array = make()
    again = back(store, array)
    assert type(again) is type(array)
    assert again.dtype == array.dtype
    assert (again.mask is np.ma.nomask) == (array.mask is np.ma.nomask)
    assert np.array_equal(np.ma.getmaskarray(again), np.ma.getmaskarray(array))
    assert again.data.tolist() == array.data.tolist()
    assert again.fill_value == array.fill_value
    assert again.hardmask == array.hardmask
    assert again.flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize("bits", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_random_generators_go_on_where_they_were(store, bits):
    generator = np.random.Generator(getattr(np.random, bits)(3))
    generator.random(5)
    again = back(store, generator)
    assert again.random(5).tolist() == generator.random(5).tolist()
    state = np.random.RandomState(2)
    assert back(store, state).rand() == state.rand()


def test_a_memory_mapped_file_comes_back_as_its_content(store, tmp_path):
    array = np.memmap(tmp_path / "f", dtype="f4", mode="w+", shape=(100, 200))
    array[:] = 3
    again = back(store, array)
    assert type(again) is np.memmap
    again[:] = 4
    assert (array == 3).all()


# ---- objects

Point = collections.namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: list


class Ring:
    def __init__(self):
        self.me = self


GOOD = {
    "namedtuple": Point(1, 2),
    "enum": Colour.RED,
    "dataclass": Slotted(1, [2]),
    "partial": functools.partial(int, base=2),
    "complex": 1j,
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=5),
    "range": range(3),
    "slice": slice(1, 2, 3),
    "bytearray": bytearray(b"x" * 200_000),
    "bytes": b"y" * 2_000_000,
    "deque": collections.deque([1], maxlen=3),
    "counter": collections.Counter("aab"),
    "default dict": collections.defaultdict(list, a=[1]),
    "ordered": collections.OrderedDict(b=1, a=2),
    "namespace": types.SimpleNamespace(a=1),
    "frozen set": frozenset({1, 2}),
    "stdlib function": math.sin,
    "type": int,
    "not implemented": NotImplemented,
    "huge int": 10**100_000,
    "surrogate": "\ud800",
    "nul": "a\0b",
    "tuple": (),
    "time zone": datetime.datetime(
        2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
    ),
    "bool dict": {True: 1, None: 2},
    "numpy dtype": np.dtype(">f4"),
    "ufunc": np.add,
}


@pytest.mark.parametrize("name", GOOD)
def test_objects(store, name):
    again = back(store, GOOD[name])
    if name == "partial":
        assert (again.func, again.args, again.keywords) == (int, (), {"base": 2})
        return
    assert again == GOOD[name]
    assert type(again) is type(GOOD[name])


def test_identity_within_a_value_is_kept(store):
    part = [1]
    again = back(store, {"a": part, "b": [part]})
    assert again["a"] is again["b"][0]
    loop = []
    loop.append(loop)
    again = back(store, loop)
    assert again[0] is again
    ring = back(store, Ring())
    assert ring.me is ring


def test_functions_of_the_script_travel_by_value(store):
    def outer(n):
        def inner(x):
            return x + n

        return inner

    assert back(store, outer(3))(4) == 7

    class Local:
        def __init__(self):
            self.x = 5

        def __eq__(self, other):
            return type(self) is type(other) and self.x == other.x

    again = back(store, [Local(), Local])
    assert again[0] == Local()
    assert again[1] is Local


@pytest.mark.parametrize("kind", ["B", "i", "d"])
@pytest.mark.parametrize("size", [2, 20_000])
def test_memory_views_keep_their_kind(store, kind, size):
    view = memoryview(bytes(size * 8)).cast("B").cast(kind)
    again = back(store, [view])[0]
    assert type(again) is memoryview
    assert (again.format, again.shape, again.readonly) == (view.format, view.shape, view.readonly)
    assert again == view


class Raises:
    def __init__(self, *methods):
        self.methods = methods

    def __reduce_ex__(self, protocol):
        if "reduce" in self.methods:
            raise ZeroDivisionError("in reduce")
        return (Raises, self.methods)

    def __eq__(self, other):
        raise ZeroDivisionError("in eq")

    __hash__ = object.__hash__

    def __repr__(self):
        raise ZeroDivisionError("in repr")


class OutOfMemory:
    def __reduce__(self):
        raise MemoryError


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


async def coroutine():
    pass


@pytest.fixture
def bad():
    """What cannot leave its process; closed afterwards."""
    connection = sqlite3.connect(":memory:")
    pipe = socket.socket()
    pending = coroutine()
    stream = open(__file__)
    values = {
        "lock": threading.Lock(),
        "r-lock": threading.RLock(),
        "condition": threading.Condition(),
        "thread": threading.Thread(),
        "thread local": threading.local(),
        "generator": (i for i in range(3)),
        "open file": stream,
        "socket": pipe,
        "connection": connection,
        "coroutine": pending,
        "frame": sys._getframe(),
        "weak reference": weakref.ref(Store),
        "context variable": contextvars.ContextVar("v"),
        "reduce raises": Raises("reduce"),
        "out of memory": OutOfMemory(),
        "too deep": nested(10_000),
    }
    yield values
    connection.close()
    pipe.close()
    pending.close()
    stream.close()


BAD = [
    "lock",
    "r-lock",
    "condition",
    "thread",
    "thread local",
    "generator",
    "open file",
    "socket",
    "connection",
    "coroutine",
    "frame",
    "weak reference",
    "context variable",
    "reduce raises",
    "out of memory",
    "too deep",
]


@pytest.mark.parametrize("name", BAD)
def test_what_would_not_come_back_is_refused_where_it_stands(store, bad, name):
    with pytest.raises(UnmarshallableError, match=r"result\['rows'\]\[1\]") as caught:
        store.save({"rows": [0, bad[name]], "fine": 1}, name="result")
    assert caught.value.path.startswith("['rows'][1]")
    assert "step" in caught.value.hint
    assert not list((store.folder / "objects").rglob("*-*"))


@pytest.mark.parametrize("name", ["open file", "weak reference", "lock"])
def test_it_is_refused_in_large_values_too(store, bad, name):
    with pytest.raises(UnmarshallableError, match=r"value\[1\]"):
        store.save([b"x" * 200_000, bad[name]])


def test_a_value_whose_comparison_or_text_fails_is_saved_all_the_same(store):
    assert type(back(store, Raises())) is Raises


class Drops:
    """Says what it leaves out, and that its cache may be made again."""

    def __init__(self):
        self.handle, self._cache, self.name = 1, 2, "a"

    def __getstate__(self):
        return {"name": self.name}


def test_what_a_class_leaves_out_on_purpose_is_its_own_affair(store):
    assert back(store, [Drops()])[0].name == "a"


def test_values_that_never_equal_a_copy_are_saved(store):
    nan = float("nan")
    for value in ([nan, (nan,)], {1: nan}, Point(nan, object)):
        assert type(back(store, value)) is type(value)
