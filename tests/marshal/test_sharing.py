"""What the values of one call share, they share where they are loaded together."""

import threading

import pytest

from kalelite.errors import UnmarshallableError
from kalelite.marshal import Store
from kalelite.marshal.sharing import SharedLoads, SharedSaves


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def there_and_back(store, *values):
    saves = SharedSaves(store, {f"value_{i}": value for i, value in enumerate(values)})
    references = [saves.save(f"value_{i}") for i in range(len(values))]
    loads = SharedLoads(store)
    return references, [loads.load(reference) for reference in references]


class Owner:
    def __init__(self, held):
        self.held = held


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held


@pytest.mark.parametrize(
    "wrap",
    [
        lambda held: [held],
        lambda held: {"k": (1, held)},
        Owner,
        Slotted,
        lambda held: lambda: held,
        lambda held: (held, frozenset({1})),
    ],
)
def test_a_shared_part_stays_one(store, wrap):
    held = bytearray(b"held")

    references, (one, other) = there_and_back(store, held, wrap(held))
    one += b"!"

    found = other() if callable(other) else getattr(other, "held", None)
    if found is None:
        found = other[0] if not isinstance(other, dict) else other["k"][1]
    assert found is one
    assert store.load(references[0]) == b"held"


def test_parts_shared_by_way_of_a_third_and_arrays_of_objects(store):
    np = pytest.importorskip("numpy")
    held, more = [1], [2]
    array = np.empty(2, object)
    array[:] = [more, None]

    references, (one, two, three, alone) = there_and_back(store, held, array, [held, more], [3])

    assert three[0] is one
    assert three[1] is two[0]
    assert len({reference.partition(".")[0] for reference in references}) == 2
    assert alone == [3]


def test_values_that_share_nothing_that_changes_are_stored_alone(store):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(10), "b": ["x", None] * 5}, dtype=object)
    label = "a text that is long"

    references, _ = there_and_back(
        store, frame[:5], frame[5:], [label], {label}, (1,), Owner, (Owner, 2)
    )

    assert not any("." in reference for reference in references)


def test_describing_holding_and_collecting_parts(store):
    held = [1]
    references, _ = there_and_back(store, held, {"held": held})

    assert store.holds(references[1])
    assert store.describe(references[1]).encoding.startswith("pickle")
    store.collect(references[:1], older_than=-1)
    assert store.load(references[1], ["held", 0]) == 1
    store.collect([], older_than=-1)
    assert not store.holds(references[1])


def test_the_one_that_cannot_be_saved_is_named(store):
    held = [1]
    values = {"good": held, "bad": {"held": held, "lock": threading.Lock()}}
    with pytest.raises(UnmarshallableError, match=r"bad\['lock'\] cannot be handed"):
        SharedSaves(store, values).save("good")
