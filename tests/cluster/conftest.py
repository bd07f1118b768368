"""The Kubernetes of ../shared/cluster for tests, and a namespace of its own for each."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest
from lab import Kit, Lab, find_kit

for folder in ("conformance", "backends/kubeflow"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))

SCIENCE = "localhost/kalelite-tests/science:3"
PACKAGES = "kubernetes>=24,<31 kfp[kubernetes] rich cloudpickle numpy dill xxhash packaging"
PACKAGES += " scikit-learn pandas matplotlib"
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


@pytest.fixture(scope="session")
def runs(kit):
    """A namespace for runs as Kubeflow Pipelines would run them."""
    from in_pods import RIGHTS, know

    from kalelite.backends.kubeflow.submit.run_owner import WORKFLOWS

    with Lab(kit) as made:
        know(made, WORKFLOWS)
        made.grant(f"system:serviceaccount:{made.namespace}:default", *RIGHTS)
        yield made


@pytest.fixture(scope="session")
def science_image(kit, tmp_path_factory):
    """Python with what a notebook's image has; kalelite itself is mounted where it is needed."""
    with open(tmp_path_factory.getbasetemp().parent / "science.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker makes it
        if SCIENCE not in kit("kubectl", "get", "nodes", "-o", "yaml"):
            kit("python-image", SCIENCE, *PACKAGES.split())
    return SCIENCE


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Load a program; its plan, its arguments for a folder, and that folder."""

    from conformance_programs import arguments_of, load

    def given(path: Path, kind: str):
        journal = tmp_path / kind
        journal.mkdir(mode=0o777)
        program = load(path)
        monkeypatch.setitem(sys.modules, "__main__", program)
        plan = program.main.plan()
        return program, plan, arguments_of(program, plan, journal), journal

    return given
