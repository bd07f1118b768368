"""Values whose own code takes part when they are loaded: they arrive, or are refused when saved."""

import copyreg
import dataclasses
import enum
import pickle
import subprocess
import urllib.error
from collections import namedtuple

import pytest

from kalelite.errors import UnmarshallableError
from kalelite.marshal import Store
from kalelite.marshal.formats._own_pickling import is_doubtful

PADS = [b"", b"x" * 100_000]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


class Node:
    def __init__(self, name):
        self.name, self.near = name, set()

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return isinstance(other, Node) and self.name == other.name


@dataclasses.dataclass(unsafe_hash=True)
class Key:
    name: str
    known: dict = dataclasses.field(default_factory=dict, hash=False, compare=False)


class Delegating:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class WantsArguments:
    def __new__(cls, name):
        return super().__new__(cls)


class WrongReduce:
    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return WrongReduce, ()


class WrongState:
    def __getstate__(self):
        return {"a": 1}

    def __setstate__(self, state):
        self.b = state["b"]


def circle():
    a, b = Node("a"), Node("b")
    a.near.add(b)
    b.near.add(a)
    return a


def circle_of_keys():
    a = Key("a")
    a.known[a] = 1
    return a


@pytest.mark.parametrize("pad", PADS, ids=["small", "large"])
@pytest.mark.parametrize(
    "make",
    [
        circle,
        circle_of_keys,
        lambda: Delegating([]),
        lambda: WantsArguments("a"),
        lambda: WrongReduce("a"),
        WrongState,
    ],
)
def test_what_cannot_be_loaded_is_refused_when_it_is_saved(store, make, pad):
    with pytest.raises(Exception):
        pickle.loads(pickle.dumps(make(), 5))

    with pytest.raises(UnmarshallableError, match="model cannot be handed to another step"):
        store.save([make(), pad], name="model")


class OutOfStock(Exception):
    def __init__(self, item, *, left=0):
        super().__init__(f"no {item} left")
        self.item, self.left = item, left


class Missing(OSError):
    def __init__(self, path):
        super().__init__(2, "no such thing", path)


class NotThere(KeyError):
    def __init__(self, key, where):
        super().__init__(key)
        self.where = where


class WithSlot(Exception):
    __slots__ = ("item",)

    def __init__(self, item):
        super().__init__(item)
        self.item = item


@pytest.mark.parametrize("pad", PADS, ids=["small", "large"])
@pytest.mark.parametrize(
    "error",
    [
        OutOfStock("apples", left=1),
        Missing("file"),
        NotThere("k", where={"a": 1}),
        WithSlot("apples"),
        urllib.error.HTTPError("u", 404, "gone", {}, None),
        subprocess.CalledProcessError(3, ["ls"], b"out"),
        ExceptionGroup("several", [OutOfStock("a"), ValueError(1)]),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        OSError(2, "no", "file"),
        StopIteration(5),
        ImportError("no", name="n", path="p"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_arrive_as_they_were(store, error, pad):
    error.add_note("noted")
    found, _ = store.load(store.save([error, pad]))

    assert type(found) is type(error)
    assert str(found) == str(error)
    assert getattr(found, "errno", None) == getattr(error, "errno", None)
    assert getattr(found, "item", None) == getattr(error, "item", None)
    if not isinstance(error, ExceptionGroup):
        assert found.args == error.args
        assert vars(found).keys() == vars(error).keys()


@pytest.mark.parametrize("dtype", ["f2", ">i4", "i4,f8", "<c16"])
def test_views_that_python_has_no_name_for(store, dtype):
    np = pytest.importorskip("numpy")
    view = memoryview(np.zeros((3, 2), dtype))

    found = store.load(store.save({"view": view}))["view"]

    assert (found.format, found.shape, found.nbytes) == (view.format, view.shape, view.nbytes)


def test_a_view_with_gaps_stays_a_view(store):
    np = pytest.importorskip("numpy")
    view = memoryview(np.arange(16.0).reshape(4, 4))[::2]

    found = store.load(store.save([view]))[0]

    assert (type(found), found.tolist()) == (memoryview, view.tolist())


Pair = namedtuple("Pair", "a b")
Colour = enum.Enum("Colour", "RED")


def test_nothing_is_tried_where_no_code_of_the_users_takes_part():
    @dataclasses.dataclass
    class Plain:
        a: int

    assert not any(map(is_doubtful, [Pair, Colour, Plain, OutOfStock, dict, copyreg.__class__]))
    assert is_doubtful(Node)
