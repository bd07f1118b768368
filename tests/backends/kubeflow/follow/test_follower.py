"""A run followed to its end, through all that may come between."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from kfp_server import Frame, node, step

from kalelite.authoring.events import Note, TaskFinished, TaskRetried, TaskSkipped, TaskWaits
from kalelite.backends.kubeflow.follow.follower import Follower
from kalelite.backends.kubeflow.follow.observing import Observation, Picture, observe
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes
from kalelite.backends.kubeflow.follow.run_source import RunSource, Sighting
from kalelite.backends.kubeflow.follow.step_output import record_in
from kalelite.backends.kubeflow.pod.contract import EVENT, RECORD
from kalelite.backends.kubeflow.submit.connection import Connection
from kalelite.backends.kubeflow.submit.kfp_service import KfpService, RunBody
from kalelite.backends.kubeflow.submit.patient_rest import KfpRefusedError, KfpUnreachableError
from kalelite.backends.kubeflow.submit.run_answer import RunAnswer
from kalelite.errors import ClusterError
from kalelite.executor import record_file
from kalelite.executor.spec import FailureReport, Record
from kalelite.plan.graph import Plan
from kalelite.runs.writing import create

RUNNING = RunAnswer("r", "a run", "running", False, 0.0, 0.0, ())
IDS = {"train": "train", "use": "use"}


class Source:
    """Gives sightings, or raises errors, one after the other."""

    def __init__(self, *script):
        self.script = list(script)

    def look(self, *, wanted=False):
        found = self.script.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def pause(self, quiet):
        return 2.0


class Traces:
    def __init__(self, log="", events=()):
        self._log = log
        self._events = list(events)

    def log(self, pod):
        return self._log

    def record(self, instance, seen, log):
        return record_in(log or "")

    def events(self, pod):
        return self._events


def seen(*nodes, state="running", trouble=""):
    workflow = {"metadata": {"name": "w"}, "status": {"nodes": {n["id"]: n for n in nodes}}}
    return Sighting(
        replace(RUNNING, state=state), observe(run_nodes(workflow).nodes, IDS), trouble, True
    )


DONE = seen(*step("train", "Succeeded", at=1, until=2), state="succeeded")


@pytest.fixture
def follow(tmp_path):
    """Follow what a script of sightings shows; the last state, and the events."""

    def run(*script, traces=None, tasks=("train",), pods=None):
        events, time = [], [1000.0]

        def sleep(seconds):
            time[0] += seconds

        follower = Follower(
            Source(*script),
            traces or Traces(),
            run.folder,
            tasks,
            events.append,
            clock=lambda: time[0],
            sleep=sleep,
            pods=pods,
        )
        return follower.follow().state, events, time[0] - 1000.0

    run.folder = create(Plan("chain"), {}, folder=tmp_path)
    return run


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_an_hour_without_a_network_is_survived(follow):
    nothing = KfpUnreachableError("nobody answers")

    state, events, seconds = follow(*[nothing] * 70, DONE)

    assert state == "succeeded"
    assert seconds > 3600
    assert [note.text for note in of_kind(events, Note)] == [
        "nobody answers; the run goes on, and is asked for again",
        "Kubeflow Pipelines answers again",
    ]


def test_a_token_that_has_expired_is_waited_for(follow):
    state, events, _ = follow(KfpRefusedError("who are you", 401), DONE)

    assert state == "succeeded"
    assert "who are you" in of_kind(events, Note)[0].text


def test_half_a_day_without_a_network_is_given_up(follow):
    with pytest.raises(ClusterError, match="nobody answers") as caught:
        follow(*[KfpUnreachableError("nobody answers")] * 1000)

    assert "kalelite follow" in caught.value.hint


def test_a_run_that_is_gone_ends_it(follow):
    with pytest.raises(ClusterError, match="not found"):
        follow(KfpRefusedError("Run r not found", 404))


def test_a_pod_that_does_not_start_says_why_once(follow):
    waits, again = (
        seen(*step("train", "Pending", f'ErrImagePull: Back-off pulling image "{image}"', at=1))
        for image in ("no:1", "docker.io/library/no:1")
    )

    _, events, _ = follow(*[waits, again] * 5, DONE)

    (wait,) = of_kind(events, TaskWaits)
    assert wait.task == "train"
    assert wait.reason.startswith("its image no:1 cannot be pulled. Is the name right")


def test_a_pod_that_takes_its_time_says_nothing(follow):
    waits = seen(*step("train", "Pending", "PodInitializing", at=1))

    _, events, _ = follow(*[waits] * 9, DONE)

    assert of_kind(events, TaskWaits) == []


def test_events_tell_what_a_pod_does_not(follow):
    waits = seen(*step("train", "Pending", "PodInitializing", at=1))
    traces = Traces(events=['FailedMount: configmap "code-1" not found'])

    _, events, _ = follow(*[waits] * 12, DONE, traces=traces)

    assert of_kind(events, TaskWaits)[0].reason.startswith("its config map code-1 is not there")


def test_a_failure_is_read_from_the_log(follow):
    log = 'hello\nTraceback (most recent call last):\n  File "a.py", line 3, in train\n    x()\n'
    failed = seen(*step("train", "Failed", "exit code 1", at=1, until=4), state="failed")

    _, events, _ = follow(failed, traces=Traces(log=f"{log}KeyError: 'x'\n"))

    (finished,) = of_kind(events, TaskFinished)
    assert (finished.record.failure.type, finished.record.failure.message) == ("KeyError", "'x'")
    assert finished.log.read_text() == "hello\n"
    assert record_file.read(finished.log.parent / "record.json") == finished.record


def test_a_failure_that_leaves_no_traceback_is_told_by_the_step(follow):
    failure = FailureReport("TimeoutError", "it took too long")
    told = record_file.encode(Record("train", "failed", 3, failure=failure))
    log = f"hello\n{RECORD}{told}\nTimeoutError: it took too long\n"
    failed = seen(*step("train", "Failed", "exit code 1", at=1, until=4), state="failed")

    _, events, _ = follow(failed, traces=Traces(log=log))

    (finished,) = of_kind(events, TaskFinished)
    assert finished.record.attempt == 3
    assert finished.record.failure.message == "it took too long"
    assert finished.log.read_text() == "hello\n"


def test_a_run_that_nothing_could_start_says_why(follow):
    log = "F1128 main.go:1] KFP driver: driver.RootDAG() failed: no such pipeline\n"

    _, events, _ = follow(
        replace(seen(state="failed"), root_driver="w-driver-1"), traces=Traces(log=log)
    )

    assert "could not start it: no such pipeline" in of_kind(events, Note)[0].text


def test_what_kubernetes_did_goes_before_what_the_log_says(follow):
    log = "Traceback (most recent call last):\n  F\nKeyError: 'x'\n"
    failed = seen(*step("train", "Failed", "main: OOMKilled (exit code 1)"), state="failed")

    _, events, _ = follow(failed, traces=Traces(log=log))

    assert of_kind(events, TaskFinished)[0].record.failure.type == "MemoryError"


def test_an_attempt_that_failed_is_told(follow):
    def pods(*phases):
        return [
            {**node(f"root.train.executor({n})", phase, "exit code 1", at=n), "type": "Pod"}
            for n, phase in enumerate(phases)
        ]

    state, events, _ = follow(seen(*pods("Running")), seen(*pods("Failed", "Running")), DONE)

    assert [event.attempt for event in of_kind(events, TaskRetried)] == [1]
    assert state == "succeeded"


def test_what_never_ran_is_not_run(follow):
    state, events, _ = follow(replace(DONE, run=replace(DONE.run, state="cancelled")), tasks=IDS)

    assert state == "cancelled"
    assert [(e.task, e.status, e.reason) for e in of_kind(events, TaskSkipped)] == [
        ("use", "not run", "the run was cancelled")
    ]


def test_a_workflow_that_became_too_large_is_said(follow):
    trouble = "workflow is longer than maximum allowed size. compressed size 1050183"

    _, events, _ = follow(seen(state="failed", trouble=trouble))

    assert "has outgrown what Kubernetes keeps" in of_kind(events, Note)[0].text


def test_a_step_that_its_pod_left_out_is_skipped(follow):
    log = "kalelite: train was skipped: a condition before it was false\n"

    _, events, _ = follow(DONE, traces=Traces(log=log))

    assert [(e.status, e.reason) for e in of_kind(events, TaskSkipped)] == [
        ("skipped", "a condition before it was false")
    ]
    assert of_kind(events, TaskFinished) == []


def test_a_failure_that_kubeflow_is_not_told_of_is_one(follow):
    log = "Traceback (most recent call last):\n  F\nKeyError: 'x'\n"
    log += "kalelite: Kubeflow Pipelines shows it as done, for something runs all the same\n"

    _, events, _ = follow(DONE, traces=Traces(log=log))

    (finished,) = of_kind(events, TaskFinished)
    assert (finished.record.status, finished.record.failure.type) == ("failed", "KeyError")


def test_a_task_of_the_compiler_is_told_of_only_when_it_fails(follow):
    nodes = [
        node("root.stage.executor", "Failed", "pod deleted", at=1, until=2),
        node("root.stage", "Failed", at=1, until=2),
    ]
    workflow = {"metadata": {"name": "w"}, "status": {"nodes": {n["id"]: n for n in nodes}}}
    picture = observe(run_nodes(workflow).nodes, {"stage": "stage"})

    _, events, _ = follow(Sighting(replace(RUNNING, state="failed"), picture, "", True))

    assert [note.text for note in of_kind(events, Note)] == ["stage failed: its pod was deleted"]


def test_of_a_shared_pod_that_failed_without_a_log_no_step_is_said_not_to_have_run(follow):
    pods = {"pod": ["train", "use"]}

    def look(state):
        picture = Picture({"pod": Observation(state, started=1.0)}, {})
        return Sighting(replace(RUNNING, state=state), picture, "", True)

    _, events, _ = follow(look("running"), look("failed"), tasks=("train", "use"), pods=pods)

    ruled_out = {event.task: event.reason for event in of_kind(events, TaskSkipped)}
    assert {name: "not known" in reason for name, reason in ruled_out.items()} == {
        "train": True,
        "use": True,
    }


def test_what_stood_for_the_items_of_a_loop_until_their_pod_had_begun_was_none_of_them(follow):
    def look(state, run="running"):
        picture = Picture({"pod": Observation(state, pod="p", started=1.0)}, {})
        return Sighting(replace(RUNNING, state=run), picture, "", True)

    told = [
        {"at": 2.0, "task": "train[0][1]", "state": state} for state in ("running", "succeeded")
    ]
    log = "".join(f"{EVENT}{json.dumps(event)}\n" for event in told)
    script = look("starting"), look("succeeded", "succeeded")
    _, events, _ = follow(*script, traces=Traces(log), pods={"pod": ["train"]})

    assert of_kind(events, TaskSkipped) == []


def test_following_ten_steps_stays_within_its_bytes(kfp_server, tmp_path):
    nodes = [each for n in range(10) for each in step(f"s{n}", "Running", at=1)]
    kfp_server.script = [Frame("RUNNING", nodes)]
    service = KfpService(Connection(kfp_host=kfp_server.host))
    path = tmp_path / "p.yaml"
    path.write_text("a: 1")
    uploaded = service.upload("p", "v", path)
    run = service.start(RunBody(uploaded, "r", "m", "e", {}))
    kfp_server.sent, time = 0, [0.0]
    source = RunSource(service, run, {f"s{n}": f"s{n}" for n in range(10)}, clock=lambda: time[0])
    quiet = 0
    while time[0] < 600:
        source.look()
        quiet += 1
        time[0] += source.pause(quiet)

    assert kfp_server.sent / 10 < 300_000


def test_a_step_whose_pod_waits_does_not_run_by_turns(kfp_server, tmp_path):
    waits = step("s0", "Pending", "ImagePullBackOff: no", at=1)
    kfp_server.script = [Frame("RUNNING", waits)]
    service = KfpService(Connection(kfp_host=kfp_server.host))
    path = tmp_path / "p.yaml"
    path.write_text("a: 1")
    run = service.start(RunBody(service.upload("p", "v", path), "r", "m", "e", {}))
    time = [0.0]
    source = RunSource(service, run, {"s0": "s0"}, clock=lambda: time[0])

    states = set()
    for time[0] in range(0, 300, 5):
        states.add(source.look().picture.instances["s0"].state)

    assert states == {"starting"}


def test_the_workflow_in_kubernetes_is_asked_for_first(kfp_server, tmp_path):
    class Workflows:
        phase = "Running"

        def workflow(self, run):
            nodes = step("s0", "Running", at=1)
            status = {"phase": self.phase, "nodes": {n["id"]: n for n in nodes}}
            return {"metadata": {"name": "w"}, "status": status}

    kfp_server.script = [Frame("RUNNING"), Frame("SUCCEEDED")]
    service = KfpService(Connection(kfp_host=kfp_server.host))
    path = tmp_path / "p.yaml"
    path.write_text("a: 1")
    uploaded = service.upload("p", "v", path)
    run = service.start(RunBody(uploaded, "r", "m", "e", {}))
    workflows = Workflows()
    source = RunSource(service, run, {"s0": "s0"}, workflows)

    looks = [source.look() for _ in range(5)]
    workflows.phase = "Succeeded"
    last = source.look()

    assert {look.picture.instances["s0"].state for look in looks} == {"running"}
    assert last.run.state == "succeeded"
    assert kfp_server.calls["run"] == 2
