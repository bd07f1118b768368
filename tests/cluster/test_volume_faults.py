"""Everything that storage does wrong on purpose, and what becomes of a run that meets it."""

from __future__ import annotations

import json

import pytest
from lab import wait

from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ConflictError, QuotaError, VolumeError
from kalelite.volumes.discover import notebook
from kalelite.volumes.past_snapshots import read_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import CLAIMS, LIMIT_RANGES, QUOTAS, Resource
from kalelite.volumes.storage_facts import gather
from kalelite.volumes.waiting import Action
from kalelite.volumes.wishes import Wishes

DRIVER = "dir.csi.kalelite.test"
CLASSES = Resource(
    "apis/storage.k8s.io/v1", "storageclasses", "StorageClass", "class", namespaced=False
)


def prepare(lab, run="r1", cluster=None, source=None, report=lambda _: None, notes=None, **wishes):
    source = source or notebook(lab.cluster, "nb-0")
    note = (lambda text: None) if notes is None else notes.append
    wishes = Wishes(**({"snapshot_class": "dir"} | wishes))
    return prepare_volumes(cluster or lab.cluster, run, source, wishes, report=report, note=note)


def one_claim(lab, storage="dir", **more):
    lab.claim("work", storage, **more)
    lab.pod("nb-0", claims={"/work": "work"})


def test_a_slow_and_a_failing_class_get_ready(lab):
    one_claim(lab)
    seen = []
    prepare(lab, "slow", snapshot_class="dir-slow", clones=False, report=seen.append)
    assert max(progress.age for progress in seen) > 4

    seen.clear()
    prepare(lab, "flaky", snapshot_class="dir-flaky", clones=False, report=seen.append)
    assert "the array is busy" in " ".join(progress.note for progress in seen)
    assert seen[-1].action is Action.DONE
    assert len(read_snapshots(lab.cluster, "flaky").snapshots) == 1


@pytest.mark.parametrize(
    ("snapshot_class", "text"),
    [("dir-error", "the array is offline"), ("dir-never", "can it make snapshots?")],
)
def test_a_class_that_never_gets_ready_fails_at_the_deadline_and_leaves_nothing(
    lab, snapshot_class, text
):
    one_claim(lab)
    with pytest.raises(VolumeError) as caught:
        prepare(lab, snapshot_class=snapshot_class, deadline=4)

    assert text in str(caught.value)
    wait("nothing left", lambda: lab.ours() == [])


def test_clones_that_fail_a_while_and_for_ever(lab):
    one_claim(lab)
    taken = prepare(lab, clones=False).snapshots
    prepare(lab, "run-1", source=taken, storage_class="dir-flaky")
    assert len(lab.cluster.list(CLAIMS)) == 2

    with pytest.raises(VolumeError, match="ProvisioningFailed"):
        prepare(lab, "run-2", source=taken, storage_class="dir-error", deadline=6)
    wait("only run-1 left", lambda: len(lab.ours()) == 4)
    assert read_snapshots(lab.cluster, "r1") == taken, "snapshots outlive a run that failed"


def test_a_clone_without_a_size_in_the_snapshot(lab):
    one_claim(lab, size="32Mi")
    made = prepare(lab, snapshot_class="dir-no-size")

    assert [clone.size for clone in made.clones] == ["32Mi"]


@pytest.mark.parametrize("flags", [[], ["--no-snapshots"]])
def test_a_second_driver(lab, flags):
    """Its own class is chosen, the first one's is refused, and so is a driver without any."""
    name = "plain.example.test" if flags else "other.example.test"
    lab.kit("driver", name, *flags)
    one_claim(lab, name, bound=True)

    with pytest.raises(ClusterError, match=f"is of the driver {DRIVER}, the volume of {name}"):
        prepare(lab, snapshot_class="dir")
    if flags:
        # There is a class of it, all the same: so nothing is known before it is tried.
        with pytest.raises(VolumeError, match="can it make snapshots"):
            prepare(lab, snapshot_class=None, deadline=4)
        wait("nothing left", lambda: lab.ours() == [])
        return
    with pytest.raises(ClusterError, match=f"class 'dir' is of the driver {DRIVER}"):
        prepare(lab, snapshot_class=None, storage_class="dir")
    made = prepare(lab, snapshot_class=None)
    assert {each.snapshot_class for each in made.snapshots.snapshots} == {name}


def test_quotas_and_limit_ranges(lab):
    one_claim(lab)
    quota = {"hard": {"requests.storage": "20Mi", "persistentvolumeclaims": "5"}}
    lab.cluster.create(QUOTAS, {"metadata": {"name": "q"}, "spec": quota})
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "8Mi"}}
    lab.cluster.create(LIMIT_RANGES, {"metadata": {"name": "l"}, "spec": {"limits": [limit]}})
    wait("quota counted", lambda: "used" in lab.cluster.list(QUOTAS)[0].get("status", {}))

    with pytest.raises(ClusterError) as caught:
        prepare(lab)
    assert len(caught.value.problems) == 2
    assert "limited to 20Mi, 16Mi are used and 16Mi more are needed" in str(caught.value)
    assert "the limit range l allows 8Mi" in str(caught.value)
    assert lab.ours() == []

    def refused(size):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        with pytest.raises(QuotaError) as caught:
            lab.cluster.create(CLAIMS, {"metadata": {"name": "more"}, "spec": spec})
        return str(caught.value)

    # What the server itself says, when the preflight could not know.
    assert "exceeded quota" in refused("7Mi")
    assert "maximum storage usage" in refused("10Mi")


class WithoutSnapshots:
    """The way to a cluster that does not have the definitions of snapshots."""

    def __init__(self, pool):
        self.pool = pool

    def request(self, method, url, **more):
        url = url.replace("/apis/snapshot.storage.k8s.io/", "/apis/snapshot.absent.test/")
        return self.pool.request(method, url, **more)


def test_a_cluster_without_snapshots(lab):
    one_claim(lab)
    client = lab.kit.client()
    client.rest_client.pool_manager = WithoutSnapshots(client.rest_client.pool_manager)

    with pytest.raises(ClusterError, match="does not know VolumeSnapshots") as caught:
        prepare(lab, cluster=Cluster.open(client=client, namespace=lab.namespace))
    assert len(caught.value.problems) == 1
    assert lab.ours() == []


class WithoutSources:
    """The way to a server that drops what a claim is to be a clone of."""

    def __init__(self, pool):
        self.pool = pool

    def request(self, method, url, body=None, **more):
        if method == "POST" and url.endswith("/persistentvolumeclaims"):
            sent = json.loads(body)
            del sent["spec"]["dataSource"]
            body = json.dumps(sent)
        return self.pool.request(method, url, body=body, **more)


def test_an_empty_volume_in_the_place_of_a_clone_is_refused_and_removed(lab):
    one_claim(lab)
    client = lab.kit.client()
    client.rest_client.pool_manager = WithoutSources(client.rest_client.pool_manager)

    with pytest.raises(VolumeError, match="an empty volume would have taken the place of"):
        prepare(lab, cluster=Cluster.open(client=client, namespace=lab.namespace))
    wait("nothing left", lambda: len(lab.cluster.list(CLAIMS)) == 1 and lab.ours() == [])


RULES = (
    ([""], ["pods"], ["get"]),
    ([""], ["persistentvolumeclaims"], ["create", "get", "delete"]),
    ([""], ["configmaps"], ["create", "get", "delete"]),
    (["snapshot.storage.k8s.io"], ["volumesnapshots"], ["create", "get", "list", "delete"]),
)


def test_what_rights_are_enough(lab):
    """Classes, quotas, nodes and events may not be read: it works, and says what it cannot know."""
    one_claim(lab, "dir-late", bound=False)
    lab.claim("values")
    wait("bound by the pod", lambda: lab.phase("work") == "Bound")
    lab.grant("alice", *RULES)
    alice = lab.cluster_as("alice")
    wait("role in force", lambda: gather(alice).missing == {})
    notes = []

    made = prepare(lab, cluster=alice, notes=notes, marshal_volume="values", marshal_path="/m")

    assert made.made, "and did not wait for what waits for its first pod"
    assert (made.marshal.claim, made.marshal.path) == ("values", "/m")
    assert lab.phase(made.clones[0].claim) == "Pending"
    assert "snapshot classes may not be read" in " ".join(notes)


def test_the_lasting_marshal_volume_of_a_notebook_is_not_cloned(lab):
    lab.claim("values")
    lab.pod("nb-0", claims={"/values": "values"})
    made = prepare(lab, marshal_volume="values")

    assert (made.clones, made.marshal.claim, made.marshal.path) == ((), "values", "/values")
    assert lab.ours() == ["config map kalelite-r1"]


def test_what_is_missing_is_named(lab):
    one_claim(lab)
    lab.grant("bob", RULES[0], RULES[2], ([""], ["persistentvolumeclaims"], ["get"]))
    bob = lab.cluster_as("bob")
    wait("role in force", lambda: len(gather(bob).missing) == 2)

    with pytest.raises(ClusterError) as caught:
        prepare(lab, cluster=bob)
    assert "you may not create, get, list, delete volumesnapshots.snapshot" in str(caught.value)
    assert len(caught.value.problems) == 1, "steps of the run can make the clones"


def test_who_may_not_make_claims_leaves_them_to_the_run(lab):
    one_claim(lab)
    lab.grant("alice", *RULES[:1], *RULES[2:], ([""], ["persistentvolumeclaims"], ["get"]))
    alice = lab.cluster_as("alice")
    wait("role in force", lambda: len(gather(alice).missing) == 1)
    notes = []
    made = prepare(lab, cluster=alice, notes=notes, marshal_volume=True)

    assert not made.made
    assert [clone.source for clone in made.clones] == ["work"]
    assert "steps of the run will make the clones" in " ".join(notes)
    assert len(lab.cluster.list(CLAIMS)) == 1


def test_an_id_that_was_used_is_refused_and_what_it_has_stays(lab):
    one_claim(lab)
    prepare(lab)
    before = lab.ours()

    with pytest.raises(ConflictError, match="made by somebody else"):
        prepare(lab)
    assert lab.ours() == before
    assert len(before) == 4


@pytest.mark.parametrize("moment", ["snapshot", "claim"])
def test_an_interrupt_leaves_nothing(lab, moment):
    one_claim(lab)

    def interrupt(progress):
        if progress.noun == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(lab, report=interrupt)
    wait("nothing left", lambda: lab.ours() == [])


def test_a_second_interrupt_tells_how_to_remove_the_rest(lab):
    one_claim(lab)
    calls = iter(range(100))

    class Impatient(Cluster):
        def delete(self, *args, **more):
            next(calls)
            raise KeyboardInterrupt

    cluster = Impatient.open(client=lab.kit.client(), namespace=lab.namespace)
    with pytest.raises(KeyboardInterrupt) as caught:
        prepare(lab, cluster=cluster, snapshot_class="dir-never", deadline=60, clones=False,
                report=lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))  # fmt: skip
    (note,) = caught.value.__notes__
    command = note.partition("kubectl ")[2].split()
    assert next(calls) == 1
    lab.kit("kubectl", *command)
    wait("nothing left", lambda: lab.ours() == [])
