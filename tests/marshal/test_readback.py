"""What a class's own code forgets is found at the step that saves it, whatever the size."""

import collections
import contextlib
import copyreg
import dataclasses
import enum
import gc
import pickle
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from kalelite import marshal
from kalelite.errors import UnmarshallableError
from kalelite.marshal import Store
from kalelite.marshal.registry import Format, register

LARGE = 40_000  # float64s: more than shares a file with its manifest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def back(store, value):
    value = store.load(store.save(value))
    store.settle()
    return value


class Plain:
    """As Python pickles it."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Kept(Plain):
    """Code of its own that keeps everything."""

    def __getstate__(self):
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)


class NotSet(Plain):
    def __setstate__(self, state):
        state.pop("size")
        self.__dict__.update(state)


class Rounds(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, size=float(state["size"]))


class Narrows(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, weights=state["weights"].astype("f4"))


class Shuffles(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, weights=state["weights"][::-1].copy())


class Truncates(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, rows=state["rows"][:-1])


class Nested(Plain):
    def __setstate__(self, state):
        rows = [dict(row) for row in state["rows"]]
        rows[-1]["b"] = None
        self.__dict__.update(state, rows=rows)


class Inner(Plain):
    def __setstate__(self, state):
        state["part"] = Plain(a=0)
        self.__dict__.update(state)


class Reduced(Plain):
    def __reduce__(self):
        return Reduced, ()


class Stated(Plain):
    """What its own ``__getstate__`` gives does not come back."""

    def __getstate__(self):
        return {"_size": self._size, "weights": self.weights}

    def __setstate__(self, state):
        self.__dict__.update(state, _size=0)


class Breaks(Plain):
    def __setstate__(self, state):
        raise ZeroDivisionError("in setstate")


class Constructed:
    def __new__(cls, size):
        return super().__new__(cls)

    def __init__(self, size):
        self.size = size


class Proxy:
    """Looks for attributes in something that unpicklers have not given it yet."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Listed(list):
    def extend(self, items):
        super().extend(sorted(items))

    append = list.append


class Mapped(dict):
    def __setitem__(self, key, value):
        super().__setitem__(key, value and 1)


class Failure(Exception):
    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code = code


class Private(Plain):
    """Shows what it loses by ``==`` only."""

    def __reduce__(self):
        return Private, ()

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


class Turned(enum.Enum):
    LEFT = 1


class Other(Plain):
    def __reduce__(self):
        return Plain, (), self.__dict__


WEIGHTS = np.arange(LARGE * 1.0)
ROWS = [{"a": number, "b": [number]} for number in range(100)]
LOSES = {
    "not set": (NotSet(size=5), ".size"),
    "another type": (Rounds(size=5), ".size"),
    "narrower": (Narrows(weights=WEIGHTS), ".weights"),
    "shuffled": (Shuffles(weights=WEIGHTS), ".weights"),
    "shorter": (Truncates(rows=ROWS), ".rows"),
    "deep inside": (Nested(rows=ROWS), ".rows[99]['b']"),
    "a plain object inside": (Inner(part=Plain(a=1)), ".part.a"),
    "reduced to nothing": (Reduced(rows=[1]), ".rows"),
    "its own state": (Stated(_size=5, weights=WEIGHTS), "._size"),
    "it raises": (Breaks(size=5), ""),
    "a constructor": (Constructed(5), ""),
    "a proxy": (Proxy([1]), ""),
    "items of a list": (Listed([3, 1]), "[0]"),
    "items of a dict": (Mapped(dict(a=5)), "['a']"),
    "an exception": (Failure(1, "x"), ""),
    "private": (Private(_size=5), ""),
    "another class": (Other(a=1), ""),
}


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("name", LOSES)
def test_what_a_class_loses_is_refused_by_name(store, name, large):
    value, path = LOSES[name]
    result = {"models": [0, [value]], "rest": b"x" * 1_000_000 if large else b""}
    with pytest.raises(UnmarshallableError) as caught:
        store.save(result, name="out")
    assert caught.value.path == f"['models'][1][0]{path}"
    assert str(caught.value).startswith(f"out['models'][1][0]{path} cannot be handed to another")
    assert not [path for path in store.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("count", [10, LARGE])
@pytest.mark.parametrize("kind", [NotSet, Breaks])
def test_what_is_refused_leaves_no_buffer_to_the_garbage_collector(store, kind, count):
    """Which crashes when it finds one that is in use (Python 3.11)."""
    view = memoryview(bytes(5_000))
    value = [kind(size=1, data=np.arange(count * 1.0)), view]
    left = weakref.ref(view)

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(UnmarshallableError):
            store.save(value)
        del value, view
        assert left() is None
    finally:
        gc.enable()


def test_one_among_many_is_found(store):
    parts = [Kept(size=number) for number in range(2_000)]
    assert len(back(store, [WEIGHTS, parts])[1]) == 2_000
    parts[1_234] = NotSet(size=1)
    with pytest.raises(UnmarshallableError, match=r"value\[1\]\[1234\]\.size"):
        store.save([WEIGHTS, parts])


def test_the_innermost_that_cannot_be_read_is_named(store):
    value = Kept(part=[Kept(inner=Breaks(a=1)), Breaks])
    with pytest.raises(UnmarshallableError, match=r"value\.part\[0\]\.inner cannot.*in setstate"):
        store.save([Kept(a=WEIGHTS), value][1])


class Caches(Plain):
    """Forgets what can be told anew, and what is private."""

    def __reduce__(self):
        return Plain.__new__, (Caches,), {"rows": self.rows}

    @property
    def total(self):
        return sum(self.rows)


class Times:
    """Reduces to something else each time."""

    def __init__(self):
        self.size = 1

    def __getstate__(self):
        return {"size": self.size, "saved": time.perf_counter_ns()}


class Strange(Plain):
    """Never equal to anything, and neither are its numbers."""

    def __setstate__(self, state):
        self.__dict__.update(state)

    def __eq__(self, other):
        return False

    __hash__ = None


def ring():
    value = Kept(weights=WEIGHTS)
    value.me = [value]
    return value


KEPT = {
    "all of it": Kept(weights=WEIGHTS, rows=ROWS, part=Plain(a=[Kept(b=1)])),
    "what can be told anew": Caches(rows=[1, 2], _cache=WEIGHTS),
    "another time": Times(),
    "not a number": Kept(
        a=float("nan"), b=[float("nan")], c=np.array([np.nan]), d=np.float32("nan")
    ),
    "never equal": Strange(a=1),
    "a ring": ring(),
    "arrays of all kinds": Kept(
        f=np.asfortranarray(WEIGHTS.reshape(200, 200)),
        gaps=WEIGHTS[::3],
        objects=np.array([None, {"a": 1}, Plain(a=1)], dtype=object),
        records=np.zeros(5_000, dtype=[("a", "i1"), ("b", "f8")]),
        empty=np.zeros((0, 3)),
        masked=np.ma.masked_array(WEIGHTS, WEIGHTS > 5),
        scalar=np.float32(2),
        times=np.arange("2020-01", "2030-01", dtype="M8[D]"),
    ),
    "standard library": Kept(
        a=collections.deque([1]), b=collections.Counter("aab"), c={1, 2}, d=Turned.LEFT, e=print
    ),
    "keys of all kinds": Kept(a={(1, 2): 3, Turned.LEFT: [4], None: 5, frozenset({1}): {}}),
    "a function": Kept(a=lambda: 1, b=len, c=Plain),
}


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("name", KEPT)
def test_what_a_class_keeps_is_saved(store, name, large):
    value = [KEPT[name], b"x" * 1_000_000 if large else b""]
    assert type(back(store, value)[0]) is type(KEPT[name])


def test_saving_changes_nothing_in_the_value(store):
    class Doubles(Plain):
        def __setstate__(self, state):
            self.__dict__.update(state)
            self.weights *= 2

    value = Doubles(weights=WEIGHTS.copy())
    store.save(value)
    assert (value.weights == WEIGHTS).all()


def test_a_class_of_the_script_stays_the_class_it_is(store):
    seen = []

    class Local:
        def __getstate__(self):
            return {"a": 1}

        def note(self):
            seen.append(self)

    before = dict(vars(Local))
    store.save([Local(), b"x" * 100_000])
    assert dict(vars(Local)) == before


def test_a_path_inside_such_an_object(store, tmp_path):
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        file.write_text("the same")
    value = back(store, Kept(files=files, weights=WEIGHTS))
    assert [file.read_text() for file in value.files] == ["the same", "the same"]


def test_a_value_that_is_handed_on_is_looked_at_again(store):
    value = back(store, Private(_weights=None, weights=None) and Kept(weights=WEIGHTS, part=None))
    assert store.save(value)
    value.part = NotSet(size=5)
    with pytest.raises(UnmarshallableError, match=r"value\.part\.size"):
        store.save(value)


@dataclasses.dataclass
class Mesh:
    points: np.ndarray
    name: str = ""


@pytest.mark.parametrize("points", [np.arange(3.0), WEIGHTS], ids=["small", "large"])
def test_a_registered_type_that_loses_something_is_refused(store, points, monkeypatch):
    from kalelite.marshal import registry

    for name in ("_users", "_reducers", "_resolved"):
        monkeypatch.setattr(registry, name, type(getattr(registry, name))(getattr(registry, name)))
    marshal.register(Mesh, save=lambda mesh: mesh.points, load=Mesh)
    assert back(store, Mesh(points)).points.sum() == points.sum()
    with pytest.raises(UnmarshallableError, match=r"value\[1\]\.name.*'name' does not come back"):
        store.save([1, Mesh(points, "wing")])


class Forgotten(Plain):
    pass


@pytest.mark.parametrize("size", [3, LARGE])
def test_what_copyreg_loses_is_refused(store, size, monkeypatch):
    monkeypatch.setitem(copyreg.dispatch_table, Forgotten, lambda _: (Forgotten, ()))
    with pytest.raises(UnmarshallableError, match=r"value\[0\]\.weights"):
        store.save([Forgotten(weights=np.ones(size))])


class Sample:
    def __init__(self, numbers, name):
        self.numbers = numbers
        self.name = name


class SampleFormat(Format):
    """Of another distribution: loses names of more than three letters."""

    encoding = "readback.sample/1"

    def claims(self, value):
        return True

    def dump(self, value):
        return {"name": value.name[:3]}, [value.numbers.tobytes()]

    def load(self, header, frames):
        return Sample(np.frombuffer(frames[0]), header["name"])


register(Sample, SampleFormat())


@pytest.mark.parametrize("size", [3, LARGE])
def test_a_format_of_another_distribution_that_loses_something_is_refused(store, size):
    assert back(store, Sample(np.ones(size), "abc")).name == "abc"
    with pytest.raises(
        UnmarshallableError, match=r"value\.name cannot .*'name' does not come back"
    ):
        store.save(Sample(np.ones(size), "abcd"))


def test_arrays_that_come_back_as_what_was_written_are_not_compared(store, monkeypatch):
    from kalelite.marshal import readback

    compared = []
    monkeypatch.setattr(readback, "_same_bytes", lambda one, two: not compared.append(one))
    store.save(Kept(a=WEIGHTS, b={"c": WEIGHTS.reshape(200, 200)}))
    assert not compared
    store.save(Kept(a=WEIGHTS[::2]))
    assert len(compared) == 1


def test_plain_values_are_not_read_back(store, monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("it was read")

    monkeypatch.setattr(pickle, "loads", refuse)
    store.save([Plain(a=WEIGHTS, b=Point(1, 2)), Turned.LEFT, b"x" * 100_000])


Point = collections.namedtuple("Point", "x y")


def test_a_pickle_of_the_script_is_read_back_too(tmp_path):
    program = tmp_path / "script.py"
    program.write_text("""
import sys
from kalelite.marshal import Store
from kalelite.errors import UnmarshallableError
class Model:
    def __init__(self, size): self.size = size
    def __setstate__(self, state): pass
try:
    Store(sys.argv[1]).save({"m": Model(1), "rest": b"x" * 100_000})
except UnmarshallableError as error:
    print(error)
""")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "s")], capture_output=True, text=True
    )
    assert "value['m'].size cannot be handed to another step: __main__.Model" in done.stdout, done
    assert not list(Path(tmp_path, "s", "tmp").iterdir())
