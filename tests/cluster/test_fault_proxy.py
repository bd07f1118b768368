"""Every call of every operation meets every fault that a way to an API server can have."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import volume_operations
from fault_proxy import FAULTS, FaultProxy, may_pass
from lab import Lab, wait
from volume_operations import KEPT, OPERATIONS

from kalelite.errors import ClusterError, UsageError
from kalelite.volumes.cluster_errors import NotFoundError
from kalelite.volumes.past_snapshots import list_snapshots
from kalelite.volumes.resources import CLAIMS

pytestmark = pytest.mark.timeout(900)
WIDTH = 6
ONE_OF_MANY = {
    "POST selfsubjectaccessreviews",
    "GET volumesnapshots",
    "GET persistentvolumeclaims",
    "GET configmaps",
    "LIST events",
}
"""Calls of which the first stands for the others."""


class Place:
    """A namespace with a notebook, and the way to it through a proxy."""

    numbers = itertools.count()

    def __init__(self, kit):
        self.lab = Lab(kit)

    def __enter__(self):
        self.lab.__enter__()
        self.proxy = FaultProxy(self.lab.kit.client(), self.lab.namespace)
        self.lab.claim("work", size="1Mi")
        self.lab.pod("nb-0", claims={"/work": "work"}, pod={"nodeSelector": {"of": "none"}})
        volume_operations.prepare(self.lab.cluster, "kept", KEPT)
        (self.kept,) = list_snapshots(self.lab.cluster)
        self.before = self.lab.ours()
        return self

    def __exit__(self, *_):
        self.proxy.close()
        self.lab.__exit__()

    def next_run(self, operation):
        """The id of another run, which has left something if that is to be cleaned."""
        run = f"run-{next(self.numbers)}"
        if operation == "clean":
            volume_operations.prepare(self.lab.cluster, run)
        return run

    def tried(self, operation, at=None, fault=""):
        """Do it with a fault at one call, or at each; what was raised. Nothing is left of it."""
        run = self.next_run(operation)
        self.proxy.reset(at, fault)
        error = None
        try:
            OPERATIONS[operation](self.proxy.cluster, run)
        except (ClusterError, UsageError) as raised:
            error = raised
        assert at is None or self.proxy.spoilt, f"{at} was not called"
        self.ends_well(operation, run, done=error is None)
        return error

    def ends_well(self, operation, run, *, done, interrupted=False):
        """Whether all is there or nothing; and nothing after it was cleaned away."""
        new = [each for each in self.lab.ours() if each not in self.before]
        if operation == "prepare" and done:
            assert len(new) == 5
            phases = {self.lab.phase(each.split()[1]) for each in new if each.startswith("claim")}
            assert phases == {"Bound"}
        elif operation == "clean" and done:
            assert new == []
        elif operation == "prepare" and interrupted:
            wait("nothing left", lambda: self.lab.ours() == self.before)
        back = self.claim(f"back-{run}") if operation == "restore" else None
        if back:
            assert back["spec"]["dataSource"]["name"] == self.kept.id
            self.lab.cluster.delete(CLAIMS, f"back-{run}")
        assert operation != "restore" or bool(back) is done or not interrupted
        volume_operations.clean(self.lab.cluster, run)
        assert self.lab.ours() == self.before

    def claim(self, name):
        """The claim of that name, unless it is gone or going."""
        try:
            found = self.lab.cluster.get(CLAIMS, name)
        except NotFoundError:
            return None
        return None if found["metadata"].get("deletionTimestamp") else found


@pytest.fixture(scope="module")
def places(kit):
    """Several, which are taken by one thread each."""
    free = queue.SimpleQueue()
    made = [Place(kit) for _ in range(WIDTH)]
    with ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(Place.__enter__, made))
        for each in made:
            free.put(each)
        yield free
        list(pool.map(Place.__exit__, made))


def in_places(places, work, cases):
    """Do the work for all cases, in all places at once; what went wrong."""

    def one(case):
        place = places.get()
        try:
            return work(place, *case) or ""
        except (AssertionError, NotFoundError) as error:
            return f"{case}: {error}"
        finally:
            places.put(place)

    with ThreadPoolExecutor(WIDTH) as pool:
        return [text for text in pool.map(one, cases) if text]


@pytest.fixture(scope="module")
def calls(places):
    """The calls that each operation makes each time: polls may be more in one run than in another."""

    def calls_of(operation):
        place = places.get()
        counts = []
        for _ in range(2):
            assert place.tried(operation) is None
            counts.append(Counter(place.proxy.calls))
        places.put(place)
        return [
            (call, number)
            for call, times in (counts[0] & counts[1]).items()
            for number in range(1, 1 + (1 if call in ONE_OF_MANY else times))
        ]

    with ThreadPoolExecutor(WIDTH) as pool:
        return dict(zip(OPERATIONS, pool.map(calls_of, OPERATIONS), strict=True))


def test_faults_that_pass_at_each_call_of_an_operation_change_nothing(places, calls):
    """Each call meets the fault when it is made first, and is made again."""

    def wrong(place, operation, fault):
        error = place.tried(operation, fault=fault)
        missed = {call for call, _ in calls[operation] if may_pass(fault, call)}
        missed -= place.proxy.spoilt
        return f"{operation}: {fault}: {error}, missed {missed}" if error or missed else ""

    passing = [fault for fault in FAULTS if may_pass(fault, "GET")]
    assert len(passing) == len(FAULTS) - 1
    assert in_places(places, wrong, itertools.product(OPERATIONS, passing)) == []


def test_faults_that_last_are_told_whichever_call_meets_them(places, calls):
    def wrong(place, operation, at, fault):
        error = place.tried(operation, at, fault)
        is_told = error is None or (str(error) and error.exit_code == 5)
        return "" if is_told else f"{operation}: {fault} at {at}: {error}"

    cases = [
        (operation, at, fault)
        for operation in OPERATIONS
        for at in calls[operation]
        for fault in FAULTS
        if not may_pass(fault, at[0])
    ]
    assert in_places(places, wrong, cases) == []


@pytest.fixture
def context(monkeypatch):
    """Starts processes that have imported everything already."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # what is preloaded is found by it
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["volume_operations"])
    return made


def ended(context, place, operation, at, number, *, after):
    """Give a process a signal at a call, before or after that is carried out: id, code and notes."""
    run = place.next_run(operation)
    notes, theirs = context.Pipe(duplex=False)
    words = (place.proxy.host, place.lab.namespace, operation, run, theirs)
    process = context.Process(target=volume_operations.perform, args=words)
    started = threading.Event()

    def watch(call, done):
        started.wait()
        if call == at and done is after and process.exitcode is None:
            os.kill(process.pid, number)
            time.sleep(0.1 if number == signal.SIGINT else 0)

    place.proxy.reset(watch=watch)
    process.start()
    theirs.close()
    started.set()
    process.join(120)
    text = notes.recv() if process.exitcode == 130 else ""
    wait("all carried out", lambda: not place.proxy.busy)
    return run, process.exitcode, text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_a_process_that_is_ended_at_a_call_leaves_nothing_that_clean_does_not_find(
    places, calls, context, number
):
    def wrong(place, operation, at, after):
        run, code, text = ended(context, place, operation, at, number, after=after)
        if code != (130 if number == signal.SIGINT else -number):
            return f"{operation}: {at}: it was not ended: {code}"
        if operation == "restore" and number == signal.SIGINT and not after:
            # What was on its way may be carried out when nobody waits for it any more.
            is_told = "delete pvc -l kalelite.dev/attempt=" in text or not at[0].startswith("POST")
            return "" if is_told else f"{at}: {text}"
        place.ends_well(operation, run, done=False, interrupted=number == signal.SIGINT and after)
        return ""

    cases = [
        (operation, at, after)
        for operation in OPERATIONS
        for at in calls[operation]
        if "review" not in at[0]
        for after in (False, True)
    ]
    wrong_ends = in_places(places, wrong, cases)
    assert wrong_ends == [], json.dumps(wrong_ends, indent=1)
