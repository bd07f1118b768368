"""Values go through a real store, as between two steps."""

import pytest

from kalelite.marshal import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def roundtrip(store):
    def through(value):
        loaded = store.load(store.save(value))
        store.settle()
        return loaded

    return through


@pytest.fixture
def encoding_of(store):
    """Which format a value is saved in."""
    return lambda value: store.describe(store.save(value)).encoding
