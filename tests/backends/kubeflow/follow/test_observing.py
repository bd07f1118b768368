"""From the nodes of a Workflow to the states of instances."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from kfp_server import node, step

from kalelite.backends.kubeflow.follow.observing import observe
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes

RECORDED = Path(__file__).parent / "recorded_loopy.json"
"""A run on KFP 2.17 as it ships, with each node twice: a loop, an If with an Else, an exit handler,
and a step that failed."""


@pytest.fixture(scope="module")
def recorded():
    return json.loads(RECORDED.read_text())


def picture(*nodes, ids):
    workflow = {"metadata": {"name": "w"}, "status": {"nodes": {n["id"]: n for n in nodes}}}
    return observe(run_nodes(workflow).nodes, ids)


def states(found):
    return {name: seen.state for name, seen in found.instances.items()}


def test_a_whole_run_as_it_was_recorded(recorded):
    found = observe(run_nodes(recorded["workflow"]).nodes, recorded["ids"])

    assert states(found) == {
        "create-marshal-volume": "succeeded",
        "stage": "succeeded",
        "make": "succeeded",
        "square[0]": "succeeded",
        "square[1]": "succeeded",
        "square[2]": "succeeded",
        "total": "succeeded",
        "big": "succeeded",
        "small": "skipped",
        "fail": "failed",
        "after": "not run",
        "tell": "succeeded",
    }
    assert found.loops == {"for": 3}
    assert found.instances["fail"].message == "main: Error (exit code 1)"


def test_nodes_that_argo_has_compressed_are_read(recorded):
    workflow = json.loads(json.dumps(recorded["workflow"]))
    nodes = workflow["status"].pop("nodes")
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    workflow["status"]["compressedNodes"] = packed

    assert run_nodes(workflow) == run_nodes(recorded["workflow"])


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        ("Pending", "starting"),
        ("Running", "running"),
        ("Succeeded", "succeeded"),
        ("Failed", "failed"),
        ("Error", "failed"),
    ],
)
def test_a_step_is_in_the_state_of_its_own_pod(phase, state):
    found = picture(*step("train", phase, "why", at=5), ids={"train": "train"})

    assert found.instances["train"].state == state
    assert found.instances["train"].message == "why"


def test_before_its_own_pod_its_driver_tells():
    pending = node("root.train-driver", "Pending", "Unschedulable: no room")

    seen = picture(pending, ids={"train": "train"}).instances["train"]

    assert (seen.state, seen.message) == ("starting", "Unschedulable: no room")


def test_a_driver_that_failed_is_told_from_a_step_that_did():
    nodes = [
        node("root.train-driver", "Error", "main: Error (exit code 2)", at=1, until=3),
        node("root.train", "Omitted"),
    ]

    found = picture(nodes[0], ids={"train": "train"})

    assert found.instances["train"].state == "failed"
    assert found.instances["train"].driver


def test_each_attempt_is_counted():
    first = node("root.train.executor(0)", "Failed", "exit code 1", at=1, until=2)
    second = node("root.train.executor(1)", "Running", at=5)
    pods = [{**each, "type": "Pod"} for each in (first, second)]
    retry = {**node("root.train.executor", "Running", at=1), "type": "Retry"}

    seen = picture(*pods, retry, ids={"train": "train"}).instances["train"]

    assert (seen.state, seen.attempt) == ("running", 2)


def test_between_two_attempts_it_runs():
    first = {**node("root.train.executor(0)", "Failed", at=1, until=2), "type": "Pod"}
    whole = node("root.train", "Running", at=1)

    assert picture(first, whole, ids={"train": "train"}).instances["train"].state == "running"


def test_what_stands_in_a_skipped_block_is_skipped():
    nodes = [
        node("root.condition-branches-1.condition-3", "Skipped"),
        node("root.for-loop-1", "Omitted"),
    ]
    ids = {
        "condition-branches-1/condition-3/small": "small",
        "for-loop-1": "for",
        "for-loop-1/square": "square",
    }

    assert states(picture(*nodes, ids=ids)) == {"small": "skipped", "square": "not run"}


def test_loops_in_loops_are_counted_for_each_item():
    outer = "root.for-loop-1.iteration-iterations({0}:{0}).iteration-item.for-loop-2"
    inner = ".iteration-iterations({0}:{0}).iteration-item.cell.executor"
    nodes = [
        node(outer.format(row) + inner.format(column), "Succeeded")
        for row in range(2)
        for column in range(row + 1)
    ]
    ids = {"for-loop-1": "for", "for-loop-1/for-loop-2": "for-2", "for-loop-1/for-loop-2/cell": "c"}

    found = picture(*nodes, ids=ids)

    assert sorted(found.instances) == ["c[0][0]", "c[1][0]", "c[1][1]"]
    assert found.loops == {"for": 2, "for-2[0]": 1, "for-2[1]": 2}


def test_a_stopped_workflow_is_told_from_a_failed_one(recorded):
    workflow = {**recorded["workflow"], "spec": {"activeDeadlineSeconds": 0}}

    assert run_nodes(workflow).stopped
    assert replace(run_nodes(workflow), stopped=False) == run_nodes(recorded["workflow"])
