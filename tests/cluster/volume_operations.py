"""What kalelite does with volumes, as plain calls: with faults on the way, and in a process that is killed."""

from __future__ import annotations

import os
import time

from kubernetes import client as library

from kalelite.errors import ClusterError
from kalelite.volumes.clone import restore_snapshot
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import notebook
from kalelite.volumes.leftovers import find_leftovers, remove_leftovers
from kalelite.volumes.past_snapshots import list_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.wishes import Wishes

WISHES = Wishes(snapshot_class="dir", marshal_volume=True, marshal_volume_size="1Mi", deadline=60)
KEPT = Wishes(snapshot_class="dir", clones=False)


def behind(host, namespace):
    """kalelite's client of a server that asks for no credentials."""
    settings = library.Configuration()
    settings.host = host
    made = Cluster(lambda: library.ApiClient(settings), namespace)
    # No time is lost between tries; what is waited for is polled as often.
    made.sleep = lambda seconds: time.sleep(min(seconds, 0.1))
    return made


def prepare(cluster, run, wishes=WISHES):
    """Discover, preflight, snapshot, clone, marshal volume."""
    return prepare_volumes(cluster, run, notebook(cluster, "nb-0", directory="/work"), wishes)


def clean(cluster, run):
    """Find what a run has left, and remove it."""
    found = find_leftovers(cluster, time.time() + 1, 0.1)
    mine = [each for each in found if each.run == run and not each.kept]
    remove_leftovers(cluster, mine, deadline=60)


def restore(cluster, run):
    """List the snapshots, and make a claim of one."""
    (one,) = list_snapshots(cluster)
    restore_snapshot(cluster, one.id, f"back-{run}")


OPERATIONS = {each.__name__: each for each in (prepare, clean, restore)}


def perform(host, namespace, operation, run, notes):
    """As a process of its own, which ends as the command does; ``notes`` is where it says more."""
    try:
        OPERATIONS[operation](behind(host, namespace), run)
    except ClusterError as error:
        notes.send(str(error))
        os._exit(5)
    except KeyboardInterrupt as interrupt:
        notes.send("\n".join(getattr(interrupt, "__notes__", ())))
        os._exit(130)
