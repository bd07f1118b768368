"""What runs have left in a namespace: `kalelite clean --volumes` and `kalelite snapshots`."""

from __future__ import annotations

import json
import time

import pytest
from in_pods import VOLUMES
from lab import CONTENTS, wait

from kalelite import pipeline, step
from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.submit.provisioning import Supply
from kalelite.errors import UsageError
from kalelite.volumes.clone import restore_snapshot
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import VolumeError
from kalelite.volumes.discover import notebook
from kalelite.volumes.leftovers import find_leftovers, remove_leftovers
from kalelite.volumes.past_snapshots import delete_snapshot, list_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS, OURS, PODS, SNAPSHOTS
from kalelite.volumes.wishes import Wishes


@step
def work() -> int:
    return 1


@pipeline
def small():
    return work()


def prepare(lab, run="r1", storage="dir", **wishes):
    lab.claim(f"work-{run}", storage, bound=True)
    lab.output(f"before-{run}", "echo before > /work/line", {"/work": f"work-{run}"})
    lab.pod(f"nb-{run}", claims={"/work": f"work-{run}"}, workingDir="/work")
    book = notebook(lab.cluster, f"nb-{run}")
    wishes = Wishes(**{"snapshot_class": "dir", **wishes})
    return prepare_volumes(lab.cluster, run, book, wishes)


def kept(lab, older_than=0.1):
    """Why what stays does, by kind and name."""
    found = find_leftovers(lab.cluster, time.time() + 1, older_than)
    return {f"{each.resource.noun} {each.name}": each.kept for each in found}


def test_clean_removes_what_is_old_and_not_in_use(lab):
    used, unused = prepare(lab, "r1"), prepare(lab, "r2")
    lab.pod("step", claims={"/work": used.clones[0].claim})
    words = ("clean", "--volumes", "--namespace", lab.namespace)

    young = lab.command(*words)
    assert young.stdout.endswith(f"0 objects removed in {lab.namespace}, 8 kept\n"), young
    assert lab.ours() == sorted(kept(lab))

    dry = lab.command(*words, "--older-than", "1ms", "--dry-run", "--output", "json")
    states = [json.loads(line) for line in dry.stdout.splitlines()]
    assert {each["run"] for each in states if each["state"] == "would go"} == {"r1", "r2"}
    # The snapshot of r1 is not in use any more: its clone is bound.
    mounted = {each["name"] for each in states if each["state"] == "kept"}
    assert mounted == {used.clones[0].claim, used.owner.name}
    assert len(lab.ours()) == 8

    done = lab.command(*words, "--older-than", "1ms")
    assert done.returncode == 0, done.stderr
    assert f"removed claim {unused.clones[0].claim}" in done.stdout
    assert f"pod step mounts claim {used.clones[0].claim}" in done.stdout
    assert lab.ours() == [f"claim {used.clones[0].claim}", "config map kalelite-r1"]
    for own in ("work-r1", "work-r2"):
        assert lab.phase(own) == "Bound", "what is not of kalelite stays"


def test_a_snapshot_whose_clone_is_still_to_be_made_stays(lab):
    """Deleted, it would never go, and its clone would never be made."""
    made = prepare(lab, storage_class="dir-late")
    (snapshot,) = made.snapshots.snapshots
    clone = made.clones[0].claim
    restore_snapshot(lab.cluster, snapshot.name, "mine", storage_class="dir-late")

    assert kept(lab)[f"snapshot {snapshot.name}"] == "claim mine is not of kalelite"
    with pytest.raises(UsageError, match="in use"):
        delete_snapshot(lab.cluster, snapshot.name, now=time.time() + 1, deadline=5)
    assert kept(lab)[f"claim {clone}"] == ""

    lab.cluster.delete(CLAIMS, "mine")
    wait("mine is gone", lambda: len(lab.cluster.list(CLAIMS)) == 2)
    found = find_leftovers(lab.cluster, time.time() + 1, 0.1)
    assert not any(each.kept for each in found)
    remove_leftovers(lab.cluster, found, deadline=60)
    assert lab.ours() == []


@pytest.mark.timeout(300)
def test_volumes_that_are_removed_at_the_third_attempt_only(lab):
    """Nothing of a clone, of its snapshot and of a restored claim is left in the storage."""
    made = prepare(lab, storage_class="dir-delete-flaky", snapshot_class="dir-delete-flaky")
    (snapshot,) = made.snapshots.snapshots
    at = ("--namespace", lab.namespace)
    more = ("--claim", "back", "--storage-class", "dir-delete-flaky")
    done = lab.command("snapshots", "restore", snapshot.name, *more, *at)
    assert done.returncode == 0, done.stderr
    assert lab.output("reader", "cat /work/line", {"/work": "back"}) == "before"
    assert len(stored(lab)) == 4

    lab.cluster.delete(PODS, "reader")
    lab.cluster.delete(CLAIMS, "back")
    done = lab.command("clean", "--volumes", "--older-than", "1ms", *at)

    assert done.returncode == 0, done.stderr
    assert lab.ours() == []
    wait("only the user's own", lambda: stored(lab) == ["volume of work-r1"], 120)


def stored(lab):
    """What the storage holds for a namespace."""
    claims = [each["spec"]["claimRef"] for each in lab.cluster.list(VOLUMES)]
    taken = [each["spec"]["volumeSnapshotRef"] for each in lab.cluster.list(CONTENTS)]
    found = [f"volume of {each['name']}" for each in claims if each["namespace"] == lab.namespace]
    return sorted(
        found + [f"snapshot {each['name']}" for each in taken if each["namespace"] == lab.namespace]
    )


def test_what_does_not_go_is_told_with_what_holds_it(lab):
    prepare(lab)
    (snapshot,) = lab.cluster.list(SNAPSHOTS)
    name = snapshot["metadata"]["name"]
    held = [*snapshot["metadata"]["finalizers"], "example.test/held"]
    lab.cluster.patch(SNAPSHOTS, name, {"metadata": {"finalizers": held}})
    found = find_leftovers(lab.cluster, time.time() + 1, 0.1)
    claims = [each for each in found if each.resource is CLAIMS]
    remove_leftovers(lab.cluster, claims, deadline=60)

    with pytest.raises(VolumeError, match=r"is not gone yet; it is held by .*example\.test/held"):
        remove_leftovers(lab.cluster, found, deadline=2)

    assert [each["metadata"]["name"] for each in lab.cluster.list(CLAIMS)] == ["work-r1"]
    assert len(lab.ours()) == 2, "the owners stay, so that the rest is found again"
    lab.cluster.patch(SNAPSHOTS, name, {"metadata": {"finalizers": None}})


def test_an_owner_of_something_of_others_stays(lab):
    made = prepare(lab)
    owner = [made.owner.reference()]
    body = {"metadata": {"name": "notes", "ownerReferences": owner}}
    lab.cluster.create(CONFIG_MAPS, body)

    assert kept(lab)["config map kalelite-r1"] == "config map notes is not of kalelite"


def test_snapshots_are_listed_restored_and_deleted(lab, tmp_path):
    made = prepare(lab)
    name = made.snapshots.snapshots[0].name
    lab.output("after", "echo after > /work/line", {"/work": "work-r1"})
    words = ("snapshots", "--namespace", lab.namespace, "--home", str(tmp_path))

    listed = json.loads(lab.command(*words, "--output", "json").stdout)
    assert (listed["id"], listed["run"], listed["claim"]) == (name, "r1", "work-r1")
    assert (listed["ready"], listed["step"]) == (True, "")
    assert abs(listed["time"] - time.time()) < 120
    assert f"{name}  claim work-r1  r1" in lab.command(*words).stdout

    done = lab.command("snapshots", "restore", name[:10], "--claim", "back", *words[1:])
    assert done.stdout == f"claim back in {lab.namespace} is made of snapshot {name}\n", done.stderr
    assert lab.output("reader", "cat /work/line", {"/work": "back"}) == "before"
    assert "claim back" not in lab.ours(), "it is the user's"
    again = lab.command("snapshots", "restore", name, "--claim", "back", *words[1:])
    assert (again.returncode, "already exists" in again.stderr) == (5, True)

    assert lab.command("snapshots", "delete", name, *words[1:]).stdout == f"deleted {name}\n"
    assert list_snapshots(lab.cluster) == []


def test_a_run_starts_from_the_snapshots_of_an_earlier_one(lab):
    """As `kalelite script.py --kfp --snapshot r1` does, from anywhere."""
    prepare(lab, clones=False)
    lab.output("after", "echo after > /work/line", {"/work": "work-r1"})

    supply = Supply(lab.cluster, small.plan(), Settings(), snapshot="r1", environ={})
    made = supply("r2", b"the bundle").settings

    (clone,) = made.clones
    assert (clone.claim, clone.path, made.image) == ("work-r1", "/work", "localhost/kc/python:3.11")
    assert lab.output("reader", "cat /work/line", {"/work": clone.made}) == "before"
    with pytest.raises(VolumeError, match="there are no snapshots of run r7"):
        Supply(lab.cluster, small.plan(), Settings(), snapshot="r7", environ={})("r8", b"")
    assert not [each for each in lab.ours() if "r8" in each]


def test_labels_are_those_that_clean_looks_for(lab):
    prepare(lab)
    assert isinstance(lab.cluster, Cluster)
    for kind in (CLAIMS, SNAPSHOTS, CONFIG_MAPS):
        ours = lab.cluster.list(kind, labels="kalelite.dev/run=r1")
        assert ours
        assert all(OURS.items() <= each["metadata"]["labels"].items() for each in ours)


@pytest.mark.timeout(300)
def test_storage_that_mounts_and_deletes_at_the_third_attempt(lab):
    """The kubelet, the driver and the snapshot controller try again: nothing is left, nothing lost."""
    made = prepare(lab, "r1", snapshot_class="dir-delete-flaky", storage_class="dir-mount-flaky")
    lab.pod("reader", "cat /work/line", {"/work": made.clones[0].claim})
    assert lab.finished("reader", 120) == ("Succeeded", "before\n")
    claim = made.clones[0].claim
    held = f"pod reader, which has ended, still mounts claim {claim}"
    assert kept(lab)[f"claim {claim}"] == held, "the server would not let it go"
    lab.cluster.delete(PODS, "reader")
    wait("no pod holds it", lambda: not any(kept(lab).values()))

    found = find_leftovers(lab.cluster, time.time() + 1, 0.1)
    remove_leftovers(lab.cluster, found, deadline=100)

    assert lab.ours() == []
