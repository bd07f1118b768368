"""The pure parts: words for endings, slots, retries, logs and expressions."""

import os
import signal

import pytest
from local_steps import one

from kalelite.authoring.pipeline import pipeline
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.pool.exit_causes import Ending, explain, refine
from kalelite.backends.local.pool.slots import Grant, Slots, memory_limit
from kalelite.backends.local.pool.step_log import Log
from kalelite.backends.local.prepare import notes_on
from kalelite.engine.progress import retry_delay
from kalelite.executor.spec import FailureReport
from kalelite.plan.options import StepOptions
from kalelite.plan.options.values import Retries

GB = 1 << 30


@pytest.mark.parametrize(
    ("ending", "type", "words"),
    [
        (Ending(status=0), "ProcessEnded", "exit code 0 before the function returned"),
        (Ending(status=signal.SIGKILL, peak=3 * GB), "ProcessKilled", "held 3.0 GiB at most"),
        (
            Ending(status=signal.SIGKILL, peak=3 * GB, oom=True),
            "MemoryError",
            "the system killed it because memory ran out; it held 3.0 GiB at most",
        ),
        (Ending(status=signal.SIGSEGV), "ProcessKilled", "SIGSEGV: compiled code used memory"),
        (Ending(status=signal.SIGRTMIN + 3), "ProcessKilled", "ended by"),
        (Ending(stopped="timeout", timeout=90), "TimeoutError", "longer than its timeout of 90 s"),
        (Ending(stopped="interrupt", forced=True), "Interrupted", "did not react to SIGTERM"),
        (Ending(error="no process could be had"), "ProcessLost", "no process could be had"),
    ],
)
def test_endings_in_words(ending, type, words):
    failure = explain(ending)

    assert failure.type == type
    assert words in failure.message


def test_a_crash_under_a_memory_limit_mentions_the_limit():
    for status in (signal.SIGABRT, 1 << 8):  # as OpenBLAS does, which exits with 1
        hint = explain(Ending(status=status, limit=2 * GB)).hint
        assert "Its memory option allows 2.0 GiB" in hint


def test_a_recorded_failure_keeps_its_words_but_for_what_the_driver_knows():
    failure = FailureReport("ValueError", "boom")

    assert refine(failure, Ending()) == failure
    assert refine(failure, Ending(stopped="timeout", timeout=1)).type == "TimeoutError"


def test_slots_are_taken_and_given_back():
    slots = Slots(2, ["0"])
    cpu = slots.take(StepOptions())
    gpu = slots.take(StepOptions(gpu=1))

    assert (cpu, gpu) == (Grant(1.0), Grant(1.0, ("0",)))
    assert slots.take(StepOptions()) is None
    slots.give(gpu)
    assert slots.take(StepOptions(cpu="500m")) == Grant(0.5)
    assert slots.take(StepOptions(cpu="500m", gpu=1)) == Grant(0.5, ("0",))


def test_a_step_that_wants_more_than_there_is_gets_all():
    slots = Slots(2)

    assert slots.take(StepOptions(cpu="64", gpu=8)) == Grant(2.0)
    assert slots.take(StepOptions(cpu="100m")) is None


def test_ten_tenths_fit_into_one_processor():
    slots = Slots(1)

    assert all(slots.take(StepOptions(cpu="100m")) for _ in range(10))
    assert slots.take(StepOptions(cpu="100m")) is None


@pytest.mark.parametrize(
    ("retries", "attempt", "type", "expected"),
    [
        (None, 1, "ValueError", None),
        (Retries(2, wait=1.0, factor=3.0), 1, "ValueError", 1.0),
        (Retries(2, wait=1.0, factor=3.0), 2, "ValueError", 3.0),
        (Retries(2, wait=1.0, factor=3.0), 3, "ValueError", None),
        (Retries(9, wait=1.0, factor=10.0, max_wait=5.0), 4, "ValueError", 5.0),
        (Retries(1, only=("OSError",)), 1, "ConnectionError", 0.0),
        (Retries(1, only=("OSError",)), 1, "ValueError", None),
        (Retries(1, only=("TimeoutError",)), 1, "TimeoutError", 0.0),
    ],
)
def test_when_a_failed_attempt_is_tried_again(retries, attempt, type, expected):
    options = StepOptions(retries=retries)

    assert retry_delay(options, attempt, FailureReport(type, "")) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (StepOptions(), 0),
        (StepOptions(memory="2Gi"), 2 * GB),
        (StepOptions(memory="2Gi", memory_limit="3Gi"), 3 * GB),
    ],
)
def test_a_limit_on_memory_goes_before_a_request(options, expected):
    assert memory_limit(options) == expected


def test_a_log_keeps_its_start_and_its_end(tmp_path):
    log = Log(tmp_path / "log", limit=10_000)
    log.begin(1)
    with open(log.path, "ab") as writer:
        for number in range(5):
            writer.write(b"".join(b"%d-%d\n" % (number, line) for line in range(3000)))
            writer.flush()
            log.trim()

    lines = log.path.read_bytes().splitlines()
    assert os.path.getsize(log.path) < 12_000
    assert lines[0] == b"0-0"
    assert lines[-1] == b"4-2999"
    assert sum(b"left out" in line for line in lines) == 1


def test_attempts_share_a_log(tmp_path):
    log = Log(tmp_path / "log")
    log.begin(1)
    log.path.write_bytes(b"first\n")
    log.begin(2)

    assert log.path.read_bytes() == b"first\n--- attempt 2 ---\n"


@pytest.mark.parametrize(
    ("gpus", "words"),
    [((), "has none: it runs without"), (("0",), "has 1: it gets what there is"), (("0", "1"), "")],
)
def test_a_lack_of_gpus_is_told(tmp_path, gpus, words):
    @pipeline
    def two_gpus():
        one.options(gpu=2)()

    notes = notes_on(two_gpus.plan(), LocalSettings(home=tmp_path), gpus)

    assert notes == ([f"A step asks for 2 GPUs, and this machine {words}."] if words else [])
