"""What a person reads of a step whose process was ended."""

import signal

import pytest

from kalelite.attempts.exit_causes import Ending, explain, refine
from kalelite.executor.spec import FailureReport

GB = 1 << 30


def test_a_bus_error_leads_to_the_input_that_was_cut():
    failure = explain(Ending(int(signal.SIGBUS)))
    assert "mapped file" in failure.message
    assert "file in the store was cut" in failure.hint


@pytest.mark.parametrize(
    ("ending", "type", "words"),
    [
        (Ending(0), "ProcessEnded", "exit code 0 before the function returned"),
        (Ending(signal.SIGKILL, peak=3 * GB), "ProcessKilled", "held 3.0 GiB at most"),
        (
            Ending(signal.SIGKILL, peak=3 * GB, oom=True),
            "MemoryError",
            "the system killed it because memory ran out; it held 3.0 GiB at most",
        ),
        (Ending(signal.SIGSEGV), "ProcessKilled", "SIGSEGV: compiled code used memory"),
        (Ending(signal.SIGRTMIN + 3), "ProcessKilled", "ended by"),
        (
            Ending(stopped="timeout", timeout=90),
            "TimeoutError",
            "longer than its timeout of 90 s",
        ),
        (
            Ending(stopped="interrupt", forced=True),
            "Interrupted",
            "did not react to SIGTERM",
        ),
        (
            Ending(error="no process could be had"),
            "ProcessLost",
            "no process could be had",
        ),
    ],
)
def test_endings_in_words(ending, type, words):
    failure = explain(ending)

    assert failure.type == type
    assert words in failure.message


def test_a_crash_under_a_memory_limit_mentions_the_limit():
    for status in (signal.SIGABRT, 1 << 8):  # as OpenBLAS does, which exits with 1
        hint = explain(Ending(status, limit=2 * GB)).hint
        assert "Its memory option allows 2.0 GiB" in hint


def test_a_recorded_failure_keeps_its_words_but_for_what_the_driver_knows():
    failure = FailureReport("ValueError", "boom")

    assert refine(failure, Ending()) == failure
    assert refine(failure, Ending(stopped="timeout", timeout=1)).type == "TimeoutError"
