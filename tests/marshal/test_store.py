"""What is saved comes back, under a reference that depends on nothing but the content."""

import numpy as np
import pytest

from kalelite.errors import CorruptObjectError, MissingObjectError, UnmarshallableError
from kalelite.marshal import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize(
    "value", [None, True, 3, -0.0, "é", [1, {"a": None}], (1, 2), {1: 2}, b"x", ..., {3}], ids=repr
)
def test_plain_values_come_back(store, value):
    back = store.load(store.save(value))
    assert back == value
    assert type(back) is type(value)


def test_equal_values_have_one_reference(store):
    assert store.save(np.arange(3)) == store.save(np.arange(3))


def test_a_large_array_is_mapped_and_private(store):
    reference = store.save(np.zeros(1_000_000))
    first = store.load(reference)
    first[:] = 7
    store.settle()
    assert store.load(reference).sum() == 0


def test_a_part_is_selected_on_load(store):
    assert store.load(store.save({"a": [1, 2]}), ("a", 1)) == 2


def test_a_missing_value_is_named(store):
    with pytest.raises(MissingObjectError, match="xxh3-0000"):
        store.load("xxh3-" + "0" * 32)


def test_the_path_to_what_cannot_be_saved_is_told(store):
    import threading

    class Model:
        def __init__(self):
            self.lock = threading.Lock()

    with pytest.raises(
        UnmarshallableError, match=r"result\['models'\]\[2\]\.lock cannot"
    ) as caught:
        store.save({"models": [1, 2, Model()]}, name="result")
    assert caught.value.path == "['models'][2].lock"


def test_a_flipped_bit_is_found(store):
    reference = store.save({"a": list(range(100))})
    file = next((store.folder / "objects").rglob(reference))
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    with pytest.raises(CorruptObjectError, match="digest"):
        store.load(reference)
