"""The Kubernetes of ../shared/cluster for tests, and a namespace of its own for each."""

from __future__ import annotations

import os

import pytest
from lab import Kit, Lab, find_kit

HOW = (
    "needs Kubernetes: KALELITE_CLUSTER=1 pytest tests/cluster starts that of ../shared/cluster"
    " (as root; KALELITE_SHARED names the folder shared if it is elsewhere)"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if "cluster" in item.path.parent.parts:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def kit():
    """The cluster, started if it does not run yet; it is left running."""
    program = find_kit()
    if not os.environ.get("KALELITE_CLUSTER") or program is None:
        pytest.skip(HOW)
    return Kit(program)


@pytest.fixture
def lab(kit):
    """A namespace that goes with everything in it."""
    with Lab(kit) as made:
        yield made
