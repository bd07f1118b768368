"""kill -9 of driver, controllers and API server while volumes are made, in a cluster of its own."""

from __future__ import annotations

import os
import re
import signal
import threading
import time

import pytest
from lab import Kit, Lab, wait

from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import notebook
from kalelite.volumes.leftovers import find_leftovers, remove_leftovers
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.wishes import Wishes

NAME, PORT = "kckills", "6473"
SLOW = Wishes(snapshot_class="dir-slow", storage_class="dir-slow", deadline=120)


@pytest.fixture(scope="module")
def second(kit):
    """A second cluster beside that of the other tests, with its programs; gone at the end."""
    programs = os.path.join(os.path.dirname(kit("kubeconfig")), os.pardir, "bin")
    environ = {"KC_NAME": NAME, "KC_PORT": PORT, "KC_HOME": f"/var/lib/{NAME}"}
    made = Kit(kit.program, environ | {"KC_BIN": os.path.realpath(programs)})
    yield made
    made("down", "--wipe")


@pytest.fixture
def place(second):
    with Lab(second) as made:
        made.claim("work")
        made.pod("nb-0", claims={"/work": "work"}, pod={"nodeSelector": {"of": "none"}})
        yield made


def prepare(place, moment="", deed=lambda: None, patience=90.0):
    """Make the volumes of a run; the deed is done once, when a ``moment`` is waited for."""
    done = []

    def report(progress):
        if progress.noun == moment and not done:
            done.append(True)
            deed()

    client = place.kit.client()
    cluster = Cluster(lambda: client, place.namespace, patience=patience)
    book = notebook(cluster, "nb-0", directory="/work")
    if not moment:
        deed()
    return prepare_volumes(cluster, "r1", book, SLOW, report=report)


def kill_api_server(kit):
    """SIGKILL; unlike the others it comes back with ``up`` only."""
    number = re.search(r"^apiserver +up +(\d+)", kit("status"), re.MULTILINE)
    os.kill(int(number[1]), signal.SIGKILL)


PROGRAMS = ("driver", "snapshot-controller", "provisioner")
MOMENTS = [(program, moment) for program in PROGRAMS for moment in ("", "snapshot", "claim")]
OFTEN = ("driver", "snapshot")
"""The one that is tried each time; the others take minutes."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("program", "moment"),
    [pytest.param(*each, marks=[] if each == OFTEN else pytest.mark.slow) for each in MOMENTS],
)
def test_a_program_that_is_killed_comes_back_and_all_is_made(place, program, moment):
    made = prepare(place, moment, lambda: place.kit("kill", program))

    assert place.phase(made.clones[0].claim) == "Bound"
    assert len(place.ours()) == 4


@pytest.mark.timeout(400)
@pytest.mark.parametrize("moment", [pytest.param("snapshot", marks=pytest.mark.slow), "claim"])
def test_an_api_server_that_is_killed_comes_back_and_all_is_made(place, moment):
    back = threading.Thread(target=place.kit, args=("up",))

    def restart():
        kill_api_server(place.kit)
        back.start()

    made = prepare(place, moment, restart)
    back.join()
    assert place.phase(made.clones[0].claim) == "Bound"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_api_server_that_stays_away_is_told_and_clean_finds_what_is_left(place):
    with pytest.raises(ClusterError, match="does not answer") as caught:
        prepare(place, "snapshot", lambda: kill_api_server(place.kit), patience=2.0)

    command = f"kubectl -n {place.namespace} delete configmap kalelite-r1-snapshots"
    assert command in str(caught.value)
    place.kit("up")
    found = wait("found", lambda: find_leftovers(place.cluster, time.time() + 1, 0.1))
    remove_leftovers(place.cluster, found, deadline=400)  # the controllers come back late
    assert place.ours() == []
