"""What a run on Kubeflow Pipelines finds in the cluster when it starts."""

from __future__ import annotations

import base64
import time
from dataclasses import replace

import pytest
from in_pods import IGNORED, know
from lab import wait

from kalelite import pipeline, step
from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.mounts import storage_of
from kalelite.backends.kubeflow.recur.recurring_volumes import (
    let_go_with,
    remove_snapshots,
    with_snapshots,
)
from kalelite.backends.kubeflow.submit.provisioning import Supply
from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import NotFoundError, VolumeError
from kalelite.volumes.leftovers import find_leftovers
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS, SCHEDULES, SNAPSHOTS, WORKFLOWS


@step
def work() -> int:
    return 1


@pipeline
def small():
    return work()


@pipeline
def wide():
    work()
    work()


def supply(cluster, settings=None, pod="", notes=None):
    environ = {"NB_PREFIX": "/notebook/x", "HOSTNAME": pod} if pod else {}
    note = (notes if notes is not None else []).append
    return Supply(cluster, small.plan(), settings or Settings(), note=note, environ=environ)


def test_the_code_and_a_volume_are_there_before_the_run(lab):
    given = supply(lab.cluster, Settings(marshal_volume_size="16Mi"))

    made = given("r1", b"the bundle")

    config = lab.cluster.get(CONFIG_MAPS, made.settings.code_map.name)
    assert base64.b64decode(config["binaryData"]["code.pyz"]) == b"the bundle"
    assert lab.phase(made.settings.marshal_volume) == "Bound"
    assert made.settings.run == "r1"
    assert made.settings.room == 0, "of a new volume nobody expects that all of it is free"

    given.withdraw(made.owner, KeyboardInterrupt())
    wait("the claim is gone", lambda: gone(lab, made.settings.marshal_volume))


def gone(lab, claim):
    try:
        return bool(lab.cluster.get(CLAIMS, claim)["metadata"].get("deletionTimestamp"))
    except NotFoundError:
        return True


def test_ctrl_c_while_the_volume_is_made_leaves_nothing_or_tells_what_removes_it(lab):
    class Impatient(Cluster):
        def delete(self, *args, **more):
            raise KeyboardInterrupt

    def interrupted(run, kind):
        cluster = kind.open(client=lab.kit.client(), namespace=lab.namespace)
        given = Supply(cluster, small.plan(), Settings(), report=interrupt, environ={})
        with pytest.raises(KeyboardInterrupt) as caught:
            given(run, b"the bundle")
        return getattr(caught.value, "__notes__", [])

    def interrupt(_):
        raise KeyboardInterrupt

    assert interrupted("r1", Cluster) == []
    wait("nothing left", lambda: lab.ours() == [])
    (note,) = interrupted("r2", Impatient)
    assert len(lab.ours()) == 2
    lab.kit("kubectl", *note.partition("kubectl ")[2].split())
    wait("nothing left", lambda: lab.ours() == [])


def test_a_lasting_volume_is_left_as_it_is(lab):
    made = supply(lab.cluster, Settings(marshal_volume="team"))("r1", b"")

    assert made.settings.marshal_volume == "team"
    assert lab.cluster.list(CLAIMS) == []


def test_the_volumes_of_a_notebook_are_cloned(lab):
    lab.claim("data")
    lab.pod("nb-0", claims={"/data": "data"})
    notes = []

    made = supply(lab.cluster, pod="nb-0", notes=notes)("r1", b"the bundle")

    (clone,) = made.settings.clones
    assert (clone.claim, clone.path) == ("data", "/data")
    assert lab.phase(clone.made) == "Bound"
    assert made.settings.image == "localhost/kc/python:3.11"
    assert lab.phase(made.settings.marshal_volume) == "Bound"


def test_the_volumes_of_a_run_go_with_its_workflow_and_the_snapshots_stay(lab):
    know(lab, WORKFLOWS)
    lab.claim("data")
    lab.pod("nb-0", claims={"/data": "data"})
    given = supply(lab.cluster, pod="nb-0")
    owner = given("r1", b"the bundle").owner
    labels = {**IGNORED, "pipeline/runid": "k1"}
    lab.cluster.create(WORKFLOWS, {"metadata": {"name": "w", "labels": labels}, "spec": {}})

    given.hand_over(owner, "k1")
    found = find_leftovers(lab.cluster, time.time() + 1, 0.1)
    claims = [each for each in found if each.resource is CLAIMS]
    assert ["goes on" in each.kept for each in claims] == [True, True]
    lab.cluster.delete(WORKFLOWS, "w")

    wait("only the snapshot and its owner are left", lambda: len(lab.ours()) == 2)
    assert [each.split()[0] for each in lab.ours()] == ["config", "snapshot"]


def test_steps_side_by_side_need_a_volume_that_they_can_mount_together(lab):
    lab.claim("data", mode="ReadWriteOncePod")
    lab.pod("nb-0", claims={"/data": "data"})
    environ = {"NB_PREFIX": "/notebook/x", "HOSTNAME": "nb-0"}

    with pytest.raises(ClusterError, match="one pod at a time .* go side by side"):
        Supply(lab.cluster, wide.plan(), Settings(), environ=environ)("r1", b"")
    assert lab.ours() == []
    assert supply(lab.cluster, pod="nb-0")("r2", b"").settings.clones


def notebook_on_a_folder(lab):
    lab.claim("data")
    lab.pod(
        "nb-0",
        volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
        mounts=[{"name": "d", "mountPath": "/data", "subPath": "mine", "readOnly": True}],
    )


def test_a_folder_of_a_volume_that_may_only_be_read(lab):
    notebook_on_a_folder(lab)
    notes = []

    made = supply(lab.cluster, pod="nb-0", notes=notes)("r1", b"")

    (clone,) = made.settings.clones
    assert (clone.path, clone.sub_path) == ("/data", "mine")
    assert any("read-only" in note and "/data" in note for note in notes)


def test_an_old_kfp_cannot_mount_a_folder_of_a_volume(lab):
    notebook_on_a_folder(lab)
    claims = [each["metadata"]["name"] for each in lab.cluster.list(CLAIMS)]

    old = Settings(kfp_version="2.15.0")
    environ = {"NB_PREFIX": "/notebook/x", "HOSTNAME": "nb-0"}
    with pytest.raises(ClusterError, match="/data is a folder of data: .* needs KFP 2.16.0"):
        supply(lab.cluster, old, pod="nb-0")("r1", b"")
    with pytest.raises(ClusterError, match="/data is a folder of data: .* needs KFP 2.16.0"):
        with_snapshots(lab.cluster, "rec1", old, [].append, environ=environ)

    assert [each["metadata"]["name"] for each in lab.cluster.list(CLAIMS)] == claims


def test_the_class_of_snapshots_and_their_time_are_what_the_settings_say(lab):
    lab.claim("data")
    lab.pod("nb-0", claims={"/data": "data"})
    settings = settings_for(small.plan(), {"snapshot_class": "dir-never", "snapshot_timeout": "2s"})

    with pytest.raises(VolumeError, match=r"\(after 2\.\d+ s\)"):
        supply(lab.cluster, settings, pod="nb-0")("r1", b"")
    wait("nothing left", lambda: lab.ours() == [])
    with pytest.raises(ClusterError, match="no snapshot class 'absent'"):
        supply(lab.cluster, replace(settings, snapshot_class="absent"), pod="nb-0")("r2", b"")


@pytest.mark.parametrize("cluster", ["none", "alice"])
def test_from_where_nothing_may_be_made_the_run_makes_it(lab, cluster):
    notes = []
    reached = lab.cluster_as("alice") if cluster == "alice" else None

    made = supply(reached, notes=notes)("r1", b"the bundle")

    assert (made.settings, made.owner) == (Settings(), None)
    (note,) = notes
    assert note.endswith(": a task of the run brings the code and makes the volume")


def test_runs_that_recur_clone_one_snapshot_which_stays_until_they_end(lab):
    lab.claim("data")
    lab.pod("nb-0", claims={"/data": "data"})
    environ = {"NB_PREFIX": "/notebook/x", "HOSTNAME": "nb-0"}

    made = with_snapshots(lab.cluster, "rec1", Settings(), [].append, environ=environ)

    (clone,) = made.clones
    (snapshot,) = lab.cluster.list(SNAPSHOTS)
    assert (clone.claim, clone.path, clone.made) == ("data", "/data", "")
    assert clone.snapshot == snapshot["metadata"]["name"]
    assert [each.snapshot for each in storage_of(made).creations] == [clone.snapshot, None]
    assert [claim["metadata"]["name"] for claim in lab.cluster.list(CLAIMS)] == ["data"]

    again = with_snapshots(lab.cluster, "rec2", Settings(), [].append, snapshot="rec1")
    assert [each.snapshot for each in again.clones] == [clone.snapshot]

    remove_snapshots(lab.cluster, "rec2")
    assert not any(each.kept for each in find_leftovers(lab.cluster, 4e9, 1.0))
    schedule = {"metadata": {"name": "nightly"}, "spec": {"enabled": False}, "status": {}}
    know(lab, SCHEDULES)
    uid = lab.cluster.create(SCHEDULES, schedule)["metadata"]["uid"]
    let_go_with(lab.cluster, "rec1", uid)
    assert all(each.kept for each in find_leftovers(lab.cluster, 4e9, 1.0))
    lab.cluster.delete(SCHEDULES, "nightly")
    wait("the snapshot is gone", lambda: not lab.cluster.list(SNAPSHOTS))
