"""Instances that share a pod are read from the log of that pod."""

from __future__ import annotations

import json

from kalelite.backends.kubeflow.follow.observing import Observation, Picture
from kalelite.backends.kubeflow.follow.shared_logs import SharedLogs, lines_of

PODS = {"load-pod": ["load", "train", "report"]}


def log(*events, text=""):
    lines = "".join(f"kalelite-event {json.dumps(event)}\n" for event in events)
    return f"{lines}{text}kalelite-event {{cut short"


def event(task, state, at=1.0, **more):
    return {"at": at, "task": task, "state": state, **more}


def looked_at(seen, text=None, name="load-pod", pods=PODS):
    picture = Picture({name: seen, "other": Observation("running")}, {})
    found = SharedLogs(pods, lambda pod: text).resolve(picture)
    assert found.instances["other"] == Observation("running")
    states = {name: one.state for name, one in found.instances.items() if name != "other"}
    return found, states


def test_the_log_tells_the_states_of_all():
    text = log(
        event("load", "running", attempt=1),
        event("load", "retrying", attempt=1, reason="x"),
        event("load", "running", 3.0, attempt=2),
        event("load", "succeeded", 5.0),
        {"loop": "for", "count": 2},
        event("train[0]", "running", 6.0, attempt=1),
        event("report", "skipped", 7.0, reason="no"),
    )
    found, states = looked_at(Observation("running", pod="p"), text)

    assert states == {"load": "succeeded", "train[0]": "running", "report": "skipped"}
    load = found.instances["load"]
    assert (load.attempt, load.started, load.finished, load.pod) == (2, 3.0, 5.0, "p")
    assert found.loops == {"for": 2}


def test_what_ran_when_its_pod_was_lost_has_failed():
    text = log(event("load", "succeeded"), event("train", "running", attempt=1))
    seen = Observation("failed", pod="p", message="OOMKilled (exit code 137)", finished=9.0)
    found, states = looked_at(seen, text)

    assert states == {"load": "succeeded", "train": "failed"}
    assert found.instances["train"].message == "OOMKilled (exit code 137)"


def test_without_a_log_what_is_true_of_the_pod_is_told():
    assert looked_at(Observation("starting"))[1] == {"load": "starting"}
    assert set(looked_at(Observation("succeeded"))[1]) == {"load", "train", "report"}
    assert looked_at(Observation("skipped"), name="load-pod[3]")[1] == {
        "load[3]": "skipped",
        "train[3]": "skipped",
        "report[3]": "skipped",
    }
    assert looked_at(Observation("failed", pod="p"))[1] == {"load-pod": "failed"}


def test_a_pod_that_has_ended_is_read_once():
    reads = []
    logs = SharedLogs(PODS, lambda pod: reads.append(pod) or log(event("load", "succeeded")))
    for state in ("running", "running", "succeeded", "succeeded", "succeeded"):
        logs.resolve(Picture({"load-pod": Observation(state, pod="p")}, {}))

    assert reads == ["p"] * 3
    assert "load" in logs.text("p")


def test_each_has_the_lines_that_it_has_printed():
    text = "load | one\ntrain[0] | two\nload | \n[load | no\nload | three"

    assert lines_of("load", text) == "one\n\nthree"
    assert lines_of("train[0]", text) == "two\n"
