"""Values go through a real store, as between two steps."""

import sys
from pathlib import Path

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


@pytest.fixture
def anonymous():
    """Tells how many bytes of memory no file stands behind: mapped values weigh nothing here."""
    if sys.platform != "linux":
        pytest.skip("needs Linux: it tells memory by kind")

    def measure():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))

    return measure
