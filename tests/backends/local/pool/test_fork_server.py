"""The fork server: what it imports ahead, and what becomes of it and of its orders."""

import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from kalelite.authoring.decorators import pipeline, step
from kalelite.backends.local.pool.client import ForkServer
from kalelite.backends.local.pool.import_environment import stale
from kalelite.backends.local.pool.messages import Done, Ended, TaskRequest
from kalelite.backends.local.pool.prewarm import imports_of, installed
from kalelite.capture.code import capture
from kalelite.executor.spec import TaskSpec


@step
def probe(names: list, path: str):
    import os
    import sys

    found = [name for name in names if name in sys.modules or name in os.environ]
    with open(path, "w") as file:
        file.write(" ".join(found))


@pipeline
def probing():
    probe([], "")


def request_of(folder, *, task, spec):
    return TaskRequest(
        task, spec, str(folder / "code"), str(folder / "store"), "off", {}, str(folder / "log")
    )


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that counts as installed packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def served():
    """Makes servers that are closed after the test."""
    servers = []

    def serve(modules=()):
        servers.append(ForkServer(modules))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def find(tmp_path):
    """Has a server run a task; which of some modules and variables it finds in its process."""

    def ask(server, names, meanwhile=lambda: None):
        code = capture(probing.plan())
        code.write(tmp_path / "code")
        path = str(tmp_path / "found")
        arguments = {
            "names": {"pack": "list", "of": [{"value": name} for name in names]},
            "path": {"value": path},
        }
        record = str(tmp_path / "record.json")
        spec = TaskSpec("probe", next(iter(code.steps)), arguments, record=record)
        server.launch(request_of(tmp_path, task=7, spec=spec))
        meanwhile()
        events = _until_ended(server)
        assert [event.task for event in events if isinstance(event, Done)] == [7]
        with open(path) as file:
            return file.read().split()

    return ask


@pytest.fixture
def loaded(served, find):
    """Which of some modules a task finds imported, given those that the server is to preload."""

    def ask(modules):
        server = served(modules)
        server.configure(os.environ, 0o022)
        return find(server, modules), server

    return ask


def _until_ended(server):
    events = []
    while not any(isinstance(event, Ended) for event in events):
        ready, _, _ = select.select(server.filenos(), [], [], 60)
        assert ready, "nothing was heard"
        events += server.receive()
    return events


def test_modules_are_there_when_a_task_starts(site, loaded):
    (site / "quiet_module.py").write_text("value = 1")

    found, server = loaded(["quiet_module"])

    assert found == ["quiet_module"]
    assert server.notes == []


def test_a_module_that_starts_a_thread_is_left_to_the_steps(site, loaded):
    (site / "good_module.py").write_text("value = 1")
    (site / "threaded_module.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )

    found, server = loaded(["threaded_module", "good_module"])

    assert found == ["good_module"]
    assert "threaded_module starts a thread when it is imported" in server.notes[0]


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError",
        "import sys; sys.exit(3)",
        "import os; os._exit(3)",
        "import os; os.abort()",
    ],
)
def test_a_module_that_cannot_be_imported_does_no_harm(site, loaded, source):
    (site / "bad_module.py").write_text(source)
    (site / "good_module.py").write_text("value = 1")

    assert loaded(["bad_module", "good_module"])[0] == ["good_module"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "compute"),
    [
        ("numpy", "(lambda a: a @ a)(__import__('numpy').ones((300, 300))).sum()"),
        (
            "sklearn.ensemble",
            "__import__('sklearn.ensemble').ensemble.HistGradientBoostingClassifier(max_iter=3)"
            ".fit([[0.0], [1.0]] * 50, [0, 1] * 50).score([[0.0]], [0])",
        ),
        ("torch", "(lambda t: (t.ones(300, 300) @ t.ones(300, 300)).sum())(__import__('torch'))"),
        ("polars", "__import__('polars').DataFrame({'a': [1, 2]}).lazy().sum().collect()"),
        ("pyarrow", "__import__('pyarrow.compute').compute.sum(__import__('pyarrow').array([1]))"),
        (
            "xgboost",
            "(lambda x, n: x.train({}, x.DMatrix(n.ones((50, 2)), n.ones(50)), 2))"
            "(__import__('xgboost'), __import__('numpy'))",
        ),
        (
            "lightgbm",
            "(lambda x, n: x.train({'verbose': -1}, x.Dataset(n.ones((50, 2)), n.ones(50)), 2))"
            "(__import__('lightgbm'), __import__('numpy'))",
        ),
    ],
)
def test_libraries_compute_in_a_fork_of_a_process_that_has_only_imported_them(module, compute):
    """Each in an interpreter of its own, as the server is; a hang would be a lost lock."""
    pytest.importorskip(module, reason=f"pip install {module.partition('.')[0]}")
    import subprocess

    program = (
        "import os, sys\n"
        "from kalelite.backends.local.pool.preload import import_quietly\n"
        f"assert import_quietly({module!r}) == ''\n"
        "for _ in range(2):\n"
        "    if (pid := os.fork()) == 0:\n"
        f"        {compute}\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=100, check=True)


def test_requests_survive_a_server_that_was_killed_before_it_took_them(tmp_path):
    with_server = ForkServer()
    try:
        os.kill(with_server.pid, signal.SIGKILL)
        with_server.configure(os.environ, 0o022)
        with_server.launch(request_of(tmp_path, task=1, spec=TaskSpec("probe", "probe")))
        (event,) = _until_ended(with_server)
        assert "was killed" in event.error
    finally:
        with_server.close()


def _spare(server):
    """The process that waits for a request."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    if not children.exists():
        pytest.skip("only Linux tells the children of a process")
    deadline = time.monotonic() + 60
    while not (found := children.read_text().split()):
        assert time.monotonic() < deadline, "there is no spare process"
        time.sleep(0.01)
    return int(found[0])


def test_a_waiting_process_that_has_died_is_given_no_request(served, find):
    server = served()
    server.configure(os.environ, 0o022)
    spare = _spare(server)
    # So that the server cannot know of it when it comes to the request.
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(spare, signal.SIGKILL)

    assert find(server, ["os"], lambda: os.kill(server.pid, signal.SIGCONT)) == ["os"]


def test_a_request_may_be_longer_than_a_pipe_holds(served, find):
    server = served()
    server.configure(os.environ, 0o022)
    _spare(server)

    assert find(server, ["os", *(f"absent_{number}" for number in range(20_000))]) == ["os"]


def test_a_waiting_process_knows_the_surroundings_of_the_next_run(served, find):
    server = served()
    server.configure({**os.environ, "FIRST_RUN": "1"}, 0o022)
    _spare(server)
    server.configure({**os.environ, "SECOND_RUN": "1"}, 0o022)

    assert find(server, ["FIRST_RUN", "SECOND_RUN"]) == ["SECOND_RUN"]


def test_the_waiting_process_ends_with_its_server(served):
    server = served()
    server.configure(os.environ, 0o022)
    spare = _spare(server)

    server.close()

    with pytest.raises(ProcessLookupError):
        os.kill(spare, 0)


def test_imports_are_read_from_the_source():
    source = """
import numpy as np, os.path
from sklearn.ensemble import RandomForestClassifier
from . import sibling
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import never
try:
    import fast
except ImportError:
    fast = None
def inside():
    import later
"""

    assert imports_of(source) == ["numpy", "os.path", "sklearn.ensemble", "typing", "fast"]


@pytest.mark.parametrize("source", ["import (", "\0", "import a\n" + "(" * 5000])
def test_a_source_that_does_not_parse_imports_nothing(source):
    assert imports_of(source) == []


def test_only_installed_packages_are_imported_ahead(tmp_path, site):
    (site / "there.py").touch()
    (site / "hidden.py").touch()
    (tmp_path / "mine.py").touch()
    (tmp_path / "hidden.py").touch()
    path = [str(tmp_path), str(site)]

    assert installed(["there.part", "mine", "hidden", "os", "absent", "kalelite"], path) == [
        "there.part"
    ]


@pytest.mark.parametrize(
    ("before", "now", "wanted", "expected"),
    [
        ({}, {}, {}, False),
        ({}, {}, {"OMP_NUM_THREADS": "1"}, True),
        ({"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "1"}, {}, True),
        ({}, {}, {"MY_TOKEN": "1"}, False),
        ({}, {"KMP_INIT_AT_FORK": "FALSE"}, {"KMP_INIT_AT_FORK": "FALSE"}, False),
        ({}, {"KMP_INIT_AT_FORK": "FALSE"}, {}, False),
    ],
)
def test_modules_are_imported_anew_under_other_variables(before, now, wanted, expected):
    assert stale(before, now, wanted) is expected
