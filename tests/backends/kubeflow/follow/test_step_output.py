"""What a pod has printed: cleaned, and the failure in it."""

from __future__ import annotations

from kalelite.backends.kubeflow.follow.step_output import (
    cleaned,
    failure_in,
    record_in,
    without_failure,
    without_record,
)
from kalelite.backends.kubeflow.pod.contract import RECORD
from kalelite.executor import record_file
from kalelite.executor.spec import FailureReport, Record

POD = """\
time=2026-11-28T12:00:42.991Z level=INFO msg="waiting for signals" signalPath=/x argo=true
I1128 12:00:43.246966      17 main.go:67] Setting log level to: '1'
I1128 12:00:43.252250      17 cache.go:89] Connecting to cache endpoint ml-pipeline:8887
about to fail
I am a line of the step
Traceback (most recent call last):
  File "/home/me/loopy.py", line 20, in fail
    return helper(x)
           ^^^^^^^^^
  File "/home/me/loopy.py", line 22, in helper
    raise ValueError(f"no good: {x}")
  File "/usr/lib/python3.11/json/decoder.py", line 3, in decode
    raise Wrong
json.decoder.JSONDecodeError: no good: 5
  Look at the file.
E1128 12:00:44.1       17 main.go:99] Component failed to execute successfully: exit status 1
time=2026-11-28T12:00:44.991Z level=INFO msg="sub-process exited" argo=true error="exit status 1"
"""


def test_lines_of_argo_and_kfp_are_left_out():
    assert cleaned(POD).splitlines()[:3] == [
        "about to fail",
        "I am a line of the step",
        "Traceback (most recent call last):",
    ]
    assert cleaned(POD).endswith("  Look at the file.\n")


def test_what_kfp_prints_of_artifacts_is_left_out():
    told = """\
before
I1128 13:15:05.721712      15 launcher_v2.go:1230] ExecutorOutput: {
  "artifacts": {
    "metrics": {}
  }
}
after
"""
    assert cleaned(told) == "before\nafter\n"


def test_the_failure_is_cut_to_the_users_frames():
    failure = failure_in(cleaned(POD))

    assert (failure.type, failure.message) == ("json.decoder.JSONDecodeError", "no good: 5")
    assert failure.hint == "Look at the file."
    assert [(frame.line, frame.function, frame.text) for frame in failure.frames] == [
        (20, "fail", "return helper(x)"),
        (22, "helper", 'raise ValueError(f"no good: {x}")'),
        (3, "decode", "raise Wrong"),
    ]


def test_a_log_without_a_traceback_shows_no_failure():
    assert failure_in("all is well\n") is None
    assert failure_in("Traceback (most recent call last):\n  File") is None


def test_what_the_step_itself_printed_stays():
    assert without_failure(cleaned(POD)) == "about to fail\nI am a line of the step\n"
    assert without_failure("all is well\n") == "all is well\n"


def test_a_record_is_read_from_the_log_of_a_step_that_has_no_volume():
    record = Record("fit", "succeeded", outputs={"n": {"ref": "xxh3-1", "native": 3}})
    log = f"one line\n{RECORD}{record_file.encode(record)}\nthe last\n"
    assert record_in(log) == record
    assert without_record(log) == "one line\nthe last\n"
    assert record_in(f"{RECORD}{{cut") is None
    assert record_in("nothing") is None


def test_what_a_step_tells_of_its_end_goes_before_what_it_has_printed():
    failure = FailureReport("TimeoutError", "too long", hint="timeout=")
    told = record_file.encode(Record("fit", "failed", 2, failure=failure))
    log = f"printed\n{RECORD}{told}\nTimeoutError: too long\n  timeout=\n"

    assert failure_in(log) == failure
    assert without_failure(log) == "printed\n"


def test_why_a_driver_has_failed_stays():
    line = "F1128 12:00:44.1       17 main.go:127] KFP driver: driver.RootDAG() failed: no\n"

    assert cleaned(f"{POD}{line}").endswith(line)
