"""Everything that stands in the way of snapshots and clones is found before one is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kalelite.errors import ClusterError, UsageError
from kalelite.volumes.discover import MountedVolume, Notebook, OtherVolume
from kalelite.volumes.preflight import preflight
from kalelite.volumes.resources import CLAIMS, SNAPSHOTS
from kalelite.volumes.storage_facts import Facts, SnapshotClass, StorageClass
from kalelite.volumes.wishes import Wishes, spelled

WORK = MountedVolume("work", "/home", workspace=True, storage_class="fast", size="10Gi")
DATA = MountedVolume("data", "/data", storage_class="fast", size="20Gi", modes=("ReadWriteMany",))
BOOK = Notebook("user", "nb-0", "nb", "image", True, "/home/project", (WORK, DATA))
FACTS = Facts(
    storage_classes={
        "fast": StorageClass("fast", "csi.a"),
        "late": StorageClass("late", "csi.a", late=True),
        "kept": StorageClass("kept", "csi.a", retain=True),
        "other": StorageClass("other", "csi.b", default=True),
    },
    snapshot_classes=(SnapshotClass("snap", "csi.a"), SnapshotClass("snap-b", "csi.b")),
    nodes=3,
)


def book(**change):
    return replace(BOOK, volumes=(replace(WORK, **change),))


def quota(used=None, **hard):
    hard = {key.replace("__", "/").replace("_", "."): text for key, text in hard.items()}
    return {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used or {}}}


def limits(**limit):
    return {
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": "PersistentVolumeClaim", **limit}]},
    }


TWO_OF_A = (SnapshotClass("one", "csi.a"), SnapshotClass("two", "csi.a"))
LASTING = MountedVolume("values", "/marshal", storage_class="fast", size="5Gi")


def test_nothing_stands_in_the_way():
    found = preflight(BOOK, FACTS, Wishes())

    assert (found.problems, found.notes) == ((), ())
    assert found.classes == {"work": "snap", "data": "snap"}
    assert found.late == {"late"}


@pytest.mark.parametrize(
    ("facts", "wish", "chosen"),
    [
        (FACTS, None, "snap"),
        (replace(FACTS, snapshot_classes=TWO_OF_A), "two", "two"),
        (
            replace(
                FACTS, snapshot_classes=(*TWO_OF_A, SnapshotClass("std", "csi.a", default=True))
            ),
            None,
            "std",
        ),
        (replace(FACTS, snapshot_classes=None), None, None),
        (replace(FACTS, snapshot_classes=None), "mine", "mine"),
    ],
)
def test_the_snapshot_class(facts, wish, chosen):
    assert preflight(book(), facts, Wishes(snapshot_class=wish)).classes == {"work": chosen}


@pytest.mark.parametrize(
    ("notebook", "facts", "wishes", "texts"),
    [
        (book(phase="Pending"), {}, {}, ["claim work is not bound but Pending"]),
        (book(phase="being deleted"), {}, {}, ["not bound but being deleted"]),
        (book(storage_class=None, driver="csi.a"), {}, {}, ["has no storage class"]),
        (book(storage_class="gone", driver="csi.a"), {}, {}, ["'gone' does not exist", "fast, late"]),
        (book(), {}, {"storage_class": "other"}, ["is of the driver csi.b, the volume of csi.a"]),
        (book(), {}, {"snapshot_class": "snap-b"}, ["'snap-b' is of the driver csi.b"]),
        (book(), {}, {"snapshot_class": "nope"}, ["no snapshot class 'nope'", "are: snap"]),
        (BOOK, {}, {"kept": (("workspace", "snap-b"),)}, ["snapshot('workspace')", "'snap-b' is of the driver csi.b"]),
        (BOOK, {}, {"kept": (("/data/in", "nope"),)}, ["snapshot('/data/in'): there is no", "are: snap"]),
        (book(), {"snapshot_classes": ()}, {}, ["driver csi.a has no snapshot class"]),
        (book(), {"snapshot_classes": TWO_OF_A}, {}, ["2 snapshot classes and no default", "one, two"]),
        (
            book(),
            {"snapshot_classes": tuple(replace(each, default=True) for each in TWO_OF_A)},
            {},
            ["2 default snapshot classes: one, two"],
        ),
        (book(), {"has_snapshots": False, "snapshot_classes": ()}, {}, ["does not know VolumeSnapshots"]),
        (book(), {"missing": {SNAPSHOTS: ("create",)}}, {}, ["may not create volumesnapshots.snapshot"]),
        (replace(BOOK, volumes=()), {}, {"clones": False}, ["mounts no claim"]),
        (book(modes=("ReadWriteOncePod",)), {"nodes": 1}, {"wide": True}, ["one pod at a time"]),
        (book(), {"quotas": (quota(requests_storage="15Gi", used={"requests.storage": "6Gi"}),)}, {},
         ["quota q: requests.storage is limited to 15Gi, 6Gi are used and 10Gi more"]),
        (BOOK, {"quotas": (quota(persistentvolumeclaims="1"),)}, {}, ["2 more are needed"]),
        (BOOK, {"quotas": (quota(count__volumesnapshots_snapshot_storage_k8s_io="1"),)}, {}, ["2 more"]),
        (BOOK, {"quotas": (quota(fast_storageclass_storage_k8s_io__requests_storage="29Gi"),)}, {}, ["30Gi more"]),
        (book(), {"limit_ranges": (limits(max={"storage": "5Gi"}),)}, {}, ["work needs 10Gi", "allows 5Gi"]),
        (book(), {"limit_ranges": (limits(min={"storage": "11Gi"}),)}, {}, ["at least 11Gi"]),
        (book(), {}, {"marshal_volume": "absent"}, ["marshal_volume='absent': there is no such claim"]),
        (book(), {"nodes": 1, "storage_classes": {"fast": FACTS.storage_classes["fast"]}},
         {"marshal_volume": True}, ["no default storage class"]),
    ],
)  # fmt: skip
def test_a_problem_and_what_to_do(notebook, facts, wishes, texts):
    found = preflight(notebook, replace(FACTS, **facts), Wishes(**wishes))

    with pytest.raises(ClusterError) as caught:
        found.require()
    assert len(found.problems) == 1
    assert [text for text in texts if text not in str(caught.value)] == []


def test_all_problems_are_told_at_once():
    wishes = Wishes(
        snapshot_class="snap-b", storage_class="gone", access_mode="ReadWriteOncePod", wide=True
    )

    assert len(preflight(BOOK, FACTS, wishes).problems) == 6


@pytest.mark.parametrize(
    ("notebook", "facts", "wishes"),
    [
        (replace(BOOK, volumes=()), {}, {}),
        (book(modes=("ReadWriteOncePod",)), {}, {}),
        (book(modes=("ReadWriteOncePod",)), {}, {"wide": True, "access_mode": "ReadWriteOnce"}),
        (book(modes=("ReadWriteOncePod",)), {}, {"wide": True, "clones": False}),
        (book(), {"quotas": (quota(requests_storage="1Gi"),)}, {"clones": False}),
        (book(storage_class=None, driver="csi.a"), {}, {"clones": False}),
        (book(storage_class=None, driver="csi.a"), {}, {"storage_class": "fast"}),
        (book(), {"missing": {CLAIMS: ("create",)}}, {}),
        (book(), {"missing": {SNAPSHOTS: ("create",)}}, {"snapshots": False}),
    ],
)
def test_what_does_not_matter_is_no_problem(notebook, facts, wishes):
    assert preflight(notebook, replace(FACTS, **facts), Wishes(**wishes)).problems == ()


@pytest.mark.parametrize(
    ("lasting", "free", "texts"),
    [
        (LASTING, None, []),
        (replace(LASTING, phase="Pending"), None, ["not bound but Pending"]),
        (replace(LASTING, phase="Pending", storage_class="late"), None, []),
        (replace(LASTING, phase="Lost", storage_class="late"), None, ["Lost"]),
        (replace(LASTING, modes=("ReadOnlyMany",)), None, ["read-only"]),
        (replace(LASTING, volume_mode="Block"), None, ["raw block device"]),
        (replace(LASTING, size="1Gi"), None, ["holds 1Gi, less than marshal_volume_size='2Gi'"]),
        (LASTING, 1_000_000, ["has 1 MB free"]),
        (LASTING, 3 * 1024**3, []),
    ],
)
def test_a_lasting_marshal_volume(lasting, free, texts):
    wishes = Wishes(marshal_volume="values", marshal_volume_size="2Gi")
    found = preflight(BOOK, FACTS, wishes, lasting=lasting, free=free)

    assert len(found.problems) == len(texts)
    assert all(text in found.problems[0].message for text in texts)


def test_what_is_left_out_or_uncertain_is_told():
    other = OtherVolume("shm", "/dev/shm", "it is empty whenever a pod starts")
    elsewhere = replace(BOOK, here=False, directory="/tmp", others=(other,))
    volumes = tuple(replace(each, workspace=False, storage_class="kept") for each in BOOK.volumes)
    elsewhere = replace(elsewhere, volumes=(*volumes, replace(volumes[0], path="/again")))
    facts = replace(FACTS, snapshot_classes=None, nodes=None, missing={CLAIMS: ("create",)})
    notes = "\n".join(preflight(elsewhere, facts, Wishes(wide=True)).notes)

    for text in (
        "volume shm at /dev/shm is left out",
        "/tmp is on none of the volumes",
        "not in nb-0",
        "steps of the run will make the clones",
        "snapshot classes may not be read",
        "storage class kept keeps the data",
        "work: for one node at a time",
        "on several nodes",
        "claim work is mounted 2 times",
    ):
        assert text in notes


@pytest.mark.parametrize(
    ("nodes", "wishes", "told"),
    [
        (3, {"wide": True}, ["clone of work: for one node", "3 nodes", "order='calls'"]),
        (3, {"wide": True, "marshal_volume": True, "snapshots": False}, ["the marshal volume"]),
        (None, {"wide": True}, ["several nodes"]),
        (1, {"wide": True}, []),
        (3, {}, []),
        (3, {"wide": True, "one_node": True}, []),
        (3, {"wide": True, "access_mode": "ReadWriteMany"}, []),
        (3, {"wide": True, "clones": False}, []),
    ],
)
def test_steps_side_by_side_on_volumes_for_one_node(nodes, wishes, told):
    notes = preflight(book(), replace(FACTS, nodes=nodes), Wishes(**wishes)).notes

    assert bool(notes) is bool(told)
    assert all(text in notes[0] for text in told)


def test_a_snapshot_class_that_keeps_its_data_is_told():
    facts = replace(FACTS, snapshot_classes=(SnapshotClass("snap", "csi.a", retain=True),))

    assert "snap keeps the data of snapshots" in preflight(BOOK, facts, Wishes()).notes[0]


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        ({"marshal_volume_size": "10GB"}, "'10G' (powers of 1000) or '10Gi'"),
        ({"marshal_volume_size": "100m"}, "only 0.100 bytes"),
        ({"marshal_volume_size": "1e30"}, "more than a Kubernetes quantity can hold"),
        ({"access_mode": "readwrite"}, "not an access mode"),
        ({"snapshot_class": "A_b"}, "snapshot_class='A_b' is not a name"),
        ({"storage_class": "-"}, "storage_class='-' is not a name"),
        ({"marshal_volume": "A_b"}, "marshal_volume='A_b' is not a name"),
        ({"marshal_path": "values"}, "'values' is relative"),
    ],
)
def test_wishes_that_kubernetes_would_refuse(wishes, text):
    with pytest.raises(UsageError) as caught:
        spelled(Wishes(**wishes))
    assert text in str(caught.value)


def test_wishes_are_refused_together_and_spelled_in_full():
    with pytest.raises(UsageError) as caught:
        spelled(Wishes(access_mode="?", marshal_volume_size="1GB"))
    assert len(caught.value.problems) == 2
    assert spelled(Wishes(access_mode="rwx")).access_mode == "ReadWriteMany"
