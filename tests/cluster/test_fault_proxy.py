"""Every call of every operation meets every fault that a way to an API server can have."""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fault_proxy import FAULTS, FaultProxy
from lab import ROOT, Lab, wait

from kalelite.errors import ClusterError, UsageError
from kalelite.volumes.cluster_errors import NotFoundError
from kalelite.volumes.discover import notebook
from kalelite.volumes.leftovers import find_leftovers, remove_leftovers
from kalelite.volumes.past_snapshots import list_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import CLAIMS
from kalelite.volumes.restored_claim import restore_snapshot
from kalelite.volumes.wishes import Wishes

WIDTH = 6
WISHES = Wishes(snapshot_class="dir", marshal_volume=True, marshal_volume_size="1Mi", deadline=60)
PASSING = frozenset(FAULTS) - {"409", "410"}
"""Faults after which the same call is made again, and goes well."""
DANGEROUS = ("reset", "half", "drop")
"""Faults that leave open whether a call was carried out."""


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
        prepare_volumes(self.lab.cluster, "kept", self._book(self.lab.cluster), KEPT)
        (self.kept,) = list_snapshots(self.lab.cluster)
        self.before = self.lab.ours()
        return self

    def __exit__(self, *_):
        self.proxy.close()
        self.lab.__exit__()

    @staticmethod
    def _book(cluster):
        return notebook(cluster, "nb-0", directory="/work")

    def prepare(self, cluster, run):
        """Discover, preflight, snapshot, clone, marshal volume."""
        made = prepare_volumes(cluster, run, self._book(cluster), WISHES)
        assert len([each for each in self.lab.ours() if each not in self.before]) == 5
        assert self.lab.phase(made.clones[0].claim) == self.lab.phase(made.marshal.claim) == "Bound"

    def clean(self, cluster, run):
        """Find what a run has left, and remove it."""
        found = find_leftovers(cluster, time.time() + 1, 0.1)
        mine = [each for each in found if each.run == run and not each.kept]
        remove_leftovers(cluster, mine, deadline=60)
        assert self.lab.ours() == self.before

    def restore(self, cluster, run):
        """List the snapshots, and make a claim of one."""
        (one,) = list_snapshots(cluster)
        restore_snapshot(cluster, one.id, f"back-{run}")
        source = self.lab.cluster.get(CLAIMS, f"back-{run}")["spec"]["dataSource"]
        assert source["name"] == self.kept.id

    def tried(self, operation, at=None, fault=""):
        """Do it with a fault; what was raised. Nothing is left afterwards, whatever happened."""
        run = f"run-{next(self.numbers)}"
        if operation == "clean":
            prepare_volumes(self.lab.cluster, run, self._book(self.lab.cluster), WISHES)
        self.proxy.reset(at, fault)
        error = None
        try:
            getattr(self, operation)(self.proxy.cluster, run)
        except (ClusterError, UsageError) as raised:
            error = raised
        assert at is None or self.proxy.met, f"{at} was not called"
        if operation == "prepare" and error:
            wait("nothing left", lambda: self.lab.ours() == self.before)
        if operation == "restore":
            self.lab.cluster.delete(CLAIMS, f"back-{run}")
        self.clean(self.lab.cluster, run)
        return error


KEPT = Wishes(snapshot_class="dir", clones=False)


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


def calls_of(place, operation):
    """The calls that it makes each time: polls may be more in one run than in another."""
    counts = []
    for _ in range(2):
        assert place.tried(operation) is None
        counts.append(Counter(place.proxy.calls))
    return [
        (call, number)
        for call, times in (counts[0] & counts[1]).items()
        for number in range(1, 1 + (1 if call in ONE_OF_MANY else times))
    ]


ONE_OF_MANY = {
    "POST selfsubjectaccessreviews",
    "GET volumesnapshots",
    "GET persistentvolumeclaims",
    "GET configmaps",
    "LIST events",
}


def wrong_end(place, operation, at, fault):
    """What was wrong with the end of an operation; empty if nothing was."""
    call, _ = at
    error = place.tried(operation, at, fault)
    if error is None:
        return ""
    passes = fault in PASSING or (fault == "410" and call.startswith(("GET", "LIST")))
    if passes:
        return f"{operation}: {fault} at {at} should have passed: {error}"
    return "" if str(error) and error.exit_code == 5 else f"{operation}: {fault} at {at}: {error}"


def sweep(places, chosen):
    """Try operations with faults in all places at once; what went wrong."""

    def one(case):
        place = places.get()
        try:
            return wrong_end(place, *case)
        except (AssertionError, NotFoundError) as error:
            return f"{case}: {error}"
        finally:
            places.put(place)

    with ThreadPoolExecutor(WIDTH) as pool:
        return [text for text in pool.map(one, chosen) if text]


@pytest.fixture(scope="module")
def cases(places):
    """Each operation with each of its calls and each fault."""
    place = places.get()
    calls = {name: calls_of(place, name) for name in ("prepare", "clean", "restore")}
    places.put(place)
    return [(name, at, fault) for name in calls for at in calls[name] for fault in FAULTS]


@pytest.mark.timeout(400)
def test_each_call_meets_a_fault_and_each_that_changes_something_the_dangerous_ones(places, cases):
    def chosen(number, case):
        _, (call, _), fault = case
        changes = call.startswith(("POST", "DELETE", "PATCH")) and "review" not in call
        # The faults of a call follow each other: each call gets the next one.
        rotating = number % len(FAULTS) == number // len(FAULTS) % len(FAULTS)
        return rotating or (changes and fault in DANGEROUS)

    wrong = sweep(places, [case for number, case in enumerate(cases) if chosen(number, case)])

    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_each_call_meets_each_fault(places, cases):
    assert sweep(places, cases) == []


PROGRAM = """
import sys
from kubernetes import client
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import notebook
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.wishes import Wishes
host, namespace, run = sys.argv[1:]
settings = client.Configuration()
settings.host = host
cluster = Cluster(lambda: client.ApiClient(settings), namespace)
wishes = Wishes(snapshot_class="dir", marshal_volume=True, marshal_volume_size="1Mi")
prepare_volumes(cluster, run, notebook(cluster, "nb-0"), wishes)
"""


def killed(place, at, number, *, after):
    """The exit code of a process that gets a signal at a call, before or after it is carried out."""
    run = f"run-{next(place.numbers)}"
    started = threading.Event()
    process = None

    def watch(call, done):
        started.wait()
        if call == at and done is after and process.poll() is None:
            os.kill(process.pid, number)
            time.sleep(0.1 if number == signal.SIGINT else 0)

    place.proxy.reset(watch=watch)
    words = [place.proxy.host, place.lab.namespace, run]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], env=environ, stderr=subprocess.PIPE, text=True
    )
    started.set()
    _, text = process.communicate(timeout=120)
    return run, process.returncode, text


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_a_process_that_is_ended_at_a_call_leaves_nothing_that_clean_does_not_find(
    places, cases, number
):
    calls = dict.fromkeys(at for name, at, _ in cases if name == "prepare")
    changing = [at for at in calls if at[0].startswith(("POST", "GET")) and "review" not in at[0]]

    def one(case):
        at, after = case
        place = places.get()
        try:
            run, code, text = killed(place, at, number, after=after)
            if code != -number and "KeyboardInterrupt" not in text:
                return f"{case} was not ended: {code} {text[-300:]}"
            wait("all carried out", lambda: not place.proxy.busy)
            if number == signal.SIGINT and after:
                # What was on its way may be carried out when nobody waits for it any more.
                wait(f"{case}: nothing left", lambda: place.lab.ours() == place.before)
            place.clean(place.lab.cluster, run)
        except AssertionError as error:
            return f"{case}: {error}"
        finally:
            places.put(place)
        return ""

    both = [(at, after) for at in changing for after in (False, True)]
    with ThreadPoolExecutor(3) as pool:
        wrong = [text for text in pool.map(one, both) if text]
    assert wrong == [], json.dumps(wrong, indent=1)
