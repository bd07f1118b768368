"""A class's own pickling code is trusted; a part that cannot be pickled is named and located."""

import collections
import contextlib
import copyreg
import gc
import threading
import weakref

import numpy as np
import pytest

from kalelite import marshal
from kalelite.errors import UnmarshallableError
from kalelite.marshal import Format, Store, registry

LARGE = 40_000  # float64s: more than shares a file with its manifest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def back(store, value):
    value = store.load(store.save(value))
    store.settle()
    return value


@pytest.fixture
def registered(monkeypatch):
    """Registrations that end with the test."""
    for name in ("_users", "_formats", "_encodings", "_reducers", "_resolved", "_candidates"):
        table = getattr(registry, name)
        monkeypatch.setattr(registry, name, type(table)(table))


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


# ---- trusted


class Cached(Plain):
    """Drops what it can make again."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "cache"}


class Converts(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, weights=state["weights"].astype("f4"))


class Reduced(Plain):
    def __reduce__(self):
        return Reduced, (), {"rows": self.rows}


class NeverEqual(Plain):
    def __eq__(self, other):
        return False

    __hash__ = None


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_what_a_class_makes_of_its_pickle_is_its_own_affair(store, large):
    rest = np.zeros(LARGE if large else 3)
    parts = [
        Cached(cache=1, a=2),
        Converts(weights=np.arange(3.0)),
        Reduced(rows=[1], gone=1),
        NeverEqual(a=1),
    ]
    cached, converts, reduced, never = back(store, [*parts, rest])[:4]
    assert vars(cached) == {"a": 2}
    assert converts.weights.dtype == np.float32
    assert vars(reduced) == {"rows": [1]}
    assert never.a == 1


def test_what_copyreg_and_registrations_leave_out_does_not_come_back(
    store, monkeypatch, registered
):
    class Mesh(Plain):
        pass

    marshal.register(Mesh, save=lambda mesh: mesh.points, load=lambda points: Mesh(points=points))
    monkeypatch.setitem(copyreg.dispatch_table, Cached, lambda _: (Cached, ()))
    mesh, cached = back(store, [Mesh(points=1, name="x"), Cached(a=1)])
    assert vars(mesh) == {"points": 1}
    assert vars(cached) == {}


@pytest.mark.filterwarnings("ignore:Matplotlib")
def test_a_figure_after_it_was_drawn(store, tmp_path):
    figure = pytest.importorskip("matplotlib.figure", reason="pip install matplotlib").Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], label="line")
    axes.legend()
    figure.tight_layout()
    figure.savefig(tmp_path / "one.png")
    again = back(store, {"figure": figure})["figure"]
    again.savefig(tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("rows", [3, LARGE])
def test_a_class_whose_state_holds_frames(store, rows):
    pd = pytest.importorskip("pandas", reason="pip install pandas")

    class Results:
        """As statsmodels has them: part of the state is made when it is pickled."""

        def __init__(self, frame):
            self.frame, self.summary = frame, lambda: None

        def __getstate__(self):
            return {"frame": self.frame, "totals": self.frame.sum()}

        def __setstate__(self, state):
            self.__init__(state["frame"])
            self.totals = state["totals"]

    again = back(store, Results(pd.DataFrame({"a": range(rows), "b": ["x"] * rows})))
    assert again.totals["a"] == sum(range(rows))


class Counts(Plain):
    reduced = 0

    def __reduce_ex__(self, protocol):
        Counts.reduced += 1
        return super().__reduce_ex__(protocol)


@pytest.fixture
def counts(monkeypatch):
    monkeypatch.setattr(Counts, "reduced", 0)
    return Counts


def test_a_value_is_pickled_once(store, counts):
    store.save([counts(a=1)])
    assert counts.reduced == 1


def test_a_path_inside_such_an_object(store, tmp_path):
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        file.write_text("the same")
    value = back(store, Cached(files=files, weights=np.zeros(LARGE)))
    assert [file.read_text() for file in value.files] == ["the same", "the same"]


# ---- refused


class Slotted:
    __slots__ = ("part",)

    def __init__(self, part):
        self.part = part


class Wraps(Plain):
    """Its pickle holds something that is in none of its attributes."""

    def __reduce__(self):
        return Plain, (), {"made": threading.Lock()}


LOCK = threading.Lock()
PATHS = {
    "['a'][1]": {"a": [0, LOCK]},
    " key ('k', <lock>)[1]": None,
    ".part": Slotted(LOCK),
    ".a.b['c'].part": Plain(a=Plain(b={"c": Slotted(LOCK)})),
    "[1]": [0, collections.deque([LOCK])],
    "[2]": [0, Plain(a=1), Wraps(a=1), Plain(a=2)],
    "['f'].<closure>.lock": None,
}


def closure(lock):
    return lambda: lock


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_the_path_to_what_cannot_be_saved(store, path, large):
    value = PATHS[path]
    if path.startswith(" key"):
        value, path = {("k", LOCK): 1}, f" key {('k', LOCK)!r}[1]"
    elif value is None:
        value = {"f": closure(LOCK)}
    with pytest.raises(UnmarshallableError, match="lock cannot leave its process") as caught:
        store.save([b"x" * (200_000 if large else 1), value], name="out")
    assert caught.value.path == f"[1]{path}"
    assert str(caught.value).startswith(f"out[1]{path} cannot be handed to another step: ")
    assert not [path for path in store.folder.rglob("*") if path.is_file()]


def test_it_is_found_without_pickling_again(store, counts):
    parts = [counts(a=number) for number in range(100)]
    with pytest.raises(UnmarshallableError, match=r"value\[100\]\.a cannot"):
        store.save([*parts, Plain(a=LOCK)])
    assert counts.reduced == 100


class Opaque:
    def __reduce__(self):
        raise ValueError("it has no state\nand more")


def test_the_reason_is_that_of_the_part(store):
    with pytest.raises(UnmarshallableError) as caught:
        store.save({"m": Plain(a=[Opaque()])}, name="out")
    message = caught.value.message
    assert message.startswith("out['m'].a[0] cannot be handed to another step: ")
    assert message.endswith("Opaque: ValueError: it has no state")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("count", [10, LARGE])
@pytest.mark.parametrize("part", [LOCK, Opaque()], ids=["bound", "raises"])
def test_what_is_refused_leaves_no_buffer_to_the_garbage_collector(store, count, part):
    """Which crashes when it finds one that is in use (Python 3.11)."""
    view = memoryview(bytes(5_000))
    value = [np.arange(count * 1.0), view, part]
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


# ---- which format


class Sample(Plain):
    pass


class SampleFormat(Format):
    """Takes small ones only, and fails with those that have no size."""

    encoding = "sample.sample/1"

    def claims(self, value):
        return vars(value).get("size", 0) < 10

    def dump(self, value):
        return {"size": value.size}, []

    def load(self, header, frames):
        return Sample(size=header["size"], by="format")


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (Sample(size=1), "sample.sample/1"),
        (Sample(size=10), "pickle/1"),
        (Sample(a=1), "pickle/1"),  # never worse than a pickle
        ([Sample(size=1)], "pickle/1"),
        (lambda: 1, "pickle.cloudpickle/1"),
    ],
)
def test_a_format_that_does_not_take_a_value_leaves_it_to_pickle(
    store, value, encoding, registered
):
    marshal.register(Sample, SampleFormat())
    assert store.describe(store.save(value)).encoding == encoding


@pytest.mark.parametrize(
    "arguments",
    [{}, {"save": len}, {"load": len}],
    ids=["nothing", "no load", "no save"],
)
def test_a_registration_says_how_to_store(arguments):
    with pytest.raises(TypeError, match="save and load, or reduce, or formats"):
        marshal.register(Sample, **arguments)


def test_a_class_is_registered_by_name_before_it_is_imported(store, registered):
    name = f"{__name__}:Sample"
    marshal.register(name, reduce=lambda sample: (Plain, (), {"was": sample.size}))
    assert vars(back(store, [Sample(size=3)])[0]) == {"was": 3}
