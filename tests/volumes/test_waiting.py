"""What the states of snapshots and claims mean, and waiting for many of them."""

from __future__ import annotations

import pytest

from kalelite.volumes import clone, snapshot
from kalelite.volumes.cluster_errors import NotFoundError, VolumeError
from kalelite.volumes.resources import SNAPSHOTS
from kalelite.volumes.waiting import Action, Awaited, Observed, wait_all

META = {"uid": "1"}
ERROR = {"error": {"message": "the array is busy"}}
READY = {"readyToUse": True, "restoreSize": "1Gi"}


@pytest.mark.parametrize(
    ("found", "age", "event", "action", "note"),
    [
        ({"status": READY}, 0, "", Action.DONE, ""),
        ({"status": READY | ERROR}, 0, "", Action.DONE, ""),  # the error is an old one
        ({}, 0, "", Action.WAIT, ""),
        ({}, 31, "", Action.WAIT, "no controller has taken notice"),
        ({"status": {"readyToUse": False}}, 31, "", Action.WAIT, ""),
        ({"status": ERROR}, 0, "", Action.WAIT, "the array is busy"),
        ({"status": ERROR}, 599, "", Action.WAIT, "the array is busy"),
        ({"status": ERROR}, 600, "", Action.FAIL, "the array is busy"),
        ({"status": {"readyToUse": False}}, 600, "Slow: wait", Action.FAIL, "Slow: wait"),
        ({"status": {"readyToUse": False}}, 600, "", Action.FAIL, "nobody says why"),
        ({}, 600, "", Action.FAIL, "no controller has taken notice"),
        ({"metadata": META | {"deletionTimestamp": "now"}}, 0, "", Action.FAIL, "is deleting it"),
        (None, 0, "", Action.FAIL, "has deleted it"),
    ],
)
def test_the_state_of_a_snapshot(found, age, event, action, note):
    found = found if found is None else {"metadata": META, **found}
    verdict = snapshot.step(Observed(found, age, 600, event))

    assert (verdict.action, note in verdict.note) == (action, True)


@pytest.mark.parametrize(
    ("found", "age", "event", "action", "note"),
    [
        ({"status": {"phase": "Bound"}}, 0, "", Action.DONE, ""),
        ({"status": {"phase": "Pending"}}, 0, "", Action.WAIT, ""),
        ({}, 0, "", Action.WAIT, ""),
        ({}, 5, "WaitForFirstConsumer: waiting", Action.DONE, ""),
        ({}, 5, "ProvisioningFailed: full", Action.WAIT, "full"),
        ({}, 600, "ProvisioningFailed: full", Action.FAIL, "full"),
        ({}, 600, "", Action.FAIL, "nobody says why"),
        ({"status": {"phase": "Lost"}}, 0, "", Action.FAIL, "lost"),
        ({"metadata": META | {"deletionTimestamp": "now"}}, 0, "", Action.FAIL, "is deleting it"),
        (None, 0, "", Action.FAIL, "has deleted it"),
    ],
)
def test_the_state_of_a_claim(found, age, event, action, note):
    found = found if found is None else {"metadata": META, **found}
    verdict = clone.step(Observed(found, age, 600, event))

    assert (verdict.action, note in verdict.note) == (action, True)


@pytest.mark.parametrize(
    ("age", "event", "action"),
    [
        (14, "", Action.WAIT),
        (15, "", Action.DONE),
        (15, "ProvisioningFailed: full", Action.WAIT),
        (600, "ProvisioningFailed: full", Action.FAIL),
    ],
)
def test_a_claim_of_a_class_that_nobody_may_read(age, event, action):
    assert clone.step(Observed({"metadata": META}, age, 600, event), known=False).action is action


class Objects:
    """A cluster whose snapshots have the states of a list, a second each; then they are gone."""

    def __init__(self, **states):
        self.states, self.now, self.asked = states, 0.0, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def get(self, resource, name):
        self.asked.append(name)
        states = self.states[name]
        if int(self.now) >= len(states):
            raise NotFoundError("gone", status=404)
        return {"metadata": META | {"name": name}, "status": states[int(self.now)]}

    def events(self, uid):
        return ()


def awaited(*names):
    return [Awaited(SNAPSHOTS, name, "1", f"claim-{name}") for name in names]


def test_all_are_awaited_together_and_each_is_reported():
    cluster = Objects(a=[ERROR, {}, READY], b=[{}, READY])
    seen = []

    found = wait_all(cluster, awaited("a", "b"), snapshot.step, report=seen.append)

    assert [each["status"] for each in found] == [READY, READY]
    assert {progress.claim for progress in seen} == {"claim-a", "claim-b"}
    assert "the array is busy" in {progress.note for progress in seen}
    assert [progress.name for progress in seen if progress.action is Action.DONE] == ["b", "a"]


def test_all_failures_are_one_error_with_everything_that_was_said():
    busy, full = ERROR, {"error": {"message": "the array is full"}}
    cluster = Objects(a=[busy, full, full, full, full], b=[READY], c=[{}])

    with pytest.raises(VolumeError) as caught:
        wait_all(cluster, awaited("a", "b", "c"), snapshot.step, deadline=3)

    text = str(caught.value)
    assert "snapshot a of claim claim-a: the array is full" in text
    assert "before that: the array is busy" in text
    assert "snapshot c of claim claim-c: somebody has deleted it" in text
    assert "snapshot b" not in text
