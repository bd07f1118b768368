"""Snapshots and clones, from a notebook's volumes to the pods of a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import wait
from volume_operations import clean, prepare

from kalelite.volumes.clone import make_volumes
from kalelite.volumes.cluster_errors import ConflictError
from kalelite.volumes.discover import notebook
from kalelite.volumes.owner import create_owner, delete_owner
from kalelite.volumes.past_snapshots import read_snapshots
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS, SNAPSHOTS
from kalelite.volumes.run_volumes import plan_clones, plan_marshal
from kalelite.volumes.snapshot import plan_snapshots, take_snapshots


def take(lab, book, run="r1", snapshot_class="dir", **more):
    owner = create_owner(lab.cluster, run, role="snapshots")
    classes = dict.fromkeys((volume.claim for volume in book.volumes), snapshot_class)
    planned = plan_snapshots(run, book.volumes, classes)
    return take_snapshots(lab.cluster, planned, owner, book, **more)


@pytest.mark.parametrize(("storage", "late"), [("dir", []), ("dir-late", ["dir-late"])])
def test_a_clone_holds_what_was_there(lab, storage, late):
    lab.claim("work", storage)
    lab.output("before", "echo before > /data/line", {"/data": "work"})
    lab.pod("nb-0", claims={"/data": "work"}, workingDir="/data")
    taken = take(lab, notebook(lab.cluster, "nb-0"))
    lab.output("after", "echo after > /data/line", {"/data": "work"})

    owner = create_owner(lab.cluster, "r1")
    (clone,) = plan_clones("r1", taken.snapshots)
    make_volumes(lab.cluster, [clone], owner, late=late)

    assert clone.workspace and clone.path == "/data"
    assert lab.output("reader", "cat /data/line", {"/data": clone.claim}) == "before"


def test_five_at_once_and_one_delete_removes_all(lab):
    names = [f"c{number}" for number in range(5)]
    for name in names:
        lab.claim(name, bound=False)
    for name in names:
        wait(name, lambda name=name: lab.phase(name) == "Bound")
    lab.pod("nb-0", claims={f"/data/{name}": name for name in names})
    seen = []
    taken = take(lab, notebook(lab.cluster, "nb-0"), report=seen.append)
    owner = create_owner(lab.cluster, "r1", files={"code.pyz": b"\0" * 1000})
    clones = plan_clones("r1", taken.snapshots)
    marshal = plan_marshal("r1", size="16Mi", path="/marshal", access_mode="ReadWriteMany")
    for _ in range(2):  # a retry makes nothing twice
        make_volumes(lab.cluster, [*clones, marshal], owner)

    assert {progress.claim for progress in seen} == set(names)
    assert len(lab.cluster.list(CLAIMS)) == 11
    assert read_snapshots(lab.cluster, "r1") == taken

    delete_owner(lab.cluster, owner)
    wait("clones gone", lambda: len(lab.cluster.list(CLAIMS)) == 5)
    assert len(lab.cluster.list(SNAPSHOTS)) == 5, "snapshots outlive the run"
    for left in lab.cluster.list(CONFIG_MAPS, labels="app.kubernetes.io/managed-by=kalelite"):
        lab.cluster.delete(CONFIG_MAPS, left["metadata"]["name"])
    wait("snapshots gone", lambda: not lab.cluster.list(SNAPSHOTS))


def test_two_at_once_of_one_notebook(lab):
    """Each run gets its own; of two with one id one gets nothing; both may be cleaned twice."""
    lab.claim("work", size="1Mi")
    lab.pod("nb-0", claims={"/work": "work"}, pod={"nodeSelector": {"of": "none"}})

    def tried(deed, run):
        try:
            return deed(lab.cluster_as("admin"), run)
        except ConflictError:
            return None

    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(tried, prepare, run) for run in ("r1", "r2", "r3", "r3")]
        made = [each.result() for each in begun]
        assert [each is not None for each in made[:2]] == [True, True]
        whole = [each for each in made if each]
        names = {clone.claim for each in whole for clone in each.clones}
        assert len(names) == len(whole) == 3
        assert len(lab.ours()) == 3 * 5

        runs = ("r1", "r1", "r2", "r3")
        for each in [pool.submit(clean, lab.cluster_as("admin"), run) for run in runs]:
            each.result()
    assert lab.ours() == []
    assert lab.phase("work") == "Bound"
