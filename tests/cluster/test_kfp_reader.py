"""What a run has left on its volume, brought here by a pod."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from lab import wait

from kalelite.backends.kubeflow.bring.bringing import bring_records, bring_value
from kalelite.backends.kubeflow.bring.reader_pod import reader_pod
from kalelite.backends.kubeflow.volume_pod import RunVolumeAt
from kalelite.errors import ClusterError
from kalelite.executor import record_file
from kalelite.executor.spec import Record
from kalelite.marshal import Store
from kalelite.volumes.resources import PODS

IMAGE = "localhost/kc/python:3.11"


@pytest.fixture
def volume(lab, tmp_path):
    """A claim with the record of a run, and a value of 2.4 MB and a small one; their references."""
    store = Store(tmp_path / "far" / "store", digest="sha256")
    values = {"large": np.arange(300_000), "small": {"a": 1}}
    refs = {name: store.save(value) for name, value in values.items()}
    outputs = {name: {"ref": reference} for name, reference in refs.items()}
    folder = tmp_path / "far" / "runs" / "r1" / "tasks" / "make"
    folder.mkdir(parents=True)
    record_file.commit(Record("make", "succeeded", outputs=outputs), folder / "record.json")
    lab.claim("run")
    lab.pod("writer", claims={"/marshal": "run"})
    wait("writer", lambda: lab.cluster.get(PODS, "writer")["status"]["phase"] == "Running")
    lab.kit(
        "kubectl", "-n", lab.namespace, "cp", str(tmp_path / "far"), "writer:/marshal/.kalelite"
    )
    return RunVolumeAt("run", "/marshal/.kalelite", IMAGE), values


def test_records_and_values_are_brought(lab, volume, tmp_path):
    at, values = volume
    near = tmp_path / "near"
    with reader_pod(lab.cluster, "r1", at) as reader:
        records = bring_records(reader, "r1", near / "runs" / "here" / "tasks", tmp_path / "s")
        for entry in records["make"].outputs.values():
            bring_value(reader, entry["ref"], near)

    store = Store(near / "store")
    assert record_file.read(near / "runs/here/tasks/make/record.json") == records["make"]
    large, small = (store.load(records["make"].outputs[name]["ref"]) for name in ("large", "small"))
    assert np.array_equal(large, values["large"])
    assert small == values["small"]
    pods = [each["metadata"] for each in lab.cluster.list(PODS)]
    assert [p["name"] for p in pods if not p.get("deletionTimestamp")] == ["writer"]


def test_nothing_outside_of_the_folder_is_given_away(lab, volume, tmp_path):
    with reader_pod(lab.cluster, "r1", volume[0]) as reader:
        assert not reader.copy("../../etc/hostname", tmp_path / "near")
        assert not reader.copy("runs/r2", tmp_path / "near")
        reader._token = "guessed"
        assert not reader.copy("runs", tmp_path / "near")


def test_a_reader_that_cannot_start_says_why(lab):
    at = RunVolumeAt("none", "/marshal/.kalelite", IMAGE)
    times = itertools.count(0, 100)
    get = ("kubectl", "-n", lab.namespace, "get", "pods", "-o", "jsonpath={..conditions[*].reason}")
    # Time passes as soon as the scheduler has said why, however long that takes it.
    lab.cluster.clock = lambda: next(times) if "Unschedulable" in lab.kit(*get) else 0

    with pytest.raises(ClusterError, match="its claim none is not there"):
        with reader_pod(lab.cluster, "r1", at):
            pass
