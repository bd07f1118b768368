"""Whatever a step does to its process, the run goes on and says in words what happened."""

import os
import re
import sys
import time
from pathlib import Path

import pytest
from process_faults import (
    aborts,
    changes_everything,
    closes_every_descriptor,
    closes_its_output,
    comes_back_twice,
    exits_with_words,
    exits_with_zero,
    is_asked_to_end,
    is_killed,
    leaves_a_child,
    leaves_a_daemon,
    leaves_a_hanging_exit_function,
    leaves_a_thread,
    leaves_with_three,
    leaves_with_zero,
    overflows_the_stack,
    prints_binary,
    prints_by_c,
    prints_without_end,
    raises_base_exception,
    raises_in_a_child,
    raises_what_cannot_be_pickled,
    raises_with_a_broken_str,
    reads_nowhere,
    recurses,
    registers_an_exit_function,
    removes_its_folder,
    stops_at_a_breakpoint,
    uses_a_pool,
)

import kalelite
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.events import TaskFinished
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.errors import StepError


@pytest.fixture
def run_alone(tmp_path):
    """Run one step; gives its record, its log, and whether an unrelated step ran."""

    def run_it(function, *args, **settings):
        @step
        def beside():
            return "ran"

        decorated = step(function)

        @pipeline
        def both():
            decorated(*args)
            return beside()

        given = {"home": tmp_path / "home", "jobs": 2, **settings}
        result = run_plan(both.plan(), {}, settings=LocalSettings(**given))
        (name,) = result.records.keys() - {"beside"}
        run_it.log = (result.folder / "tasks" / name / "log.txt").read_bytes()
        assert result.value == "ran"
        return result.records[name]

    return run_it


@pytest.mark.parametrize(
    ("function", "type", "words"),
    [
        (raises_base_exception, "Odd", "strange"),
        (raises_what_cannot_be_pickled, "Held", "held"),
        (raises_with_a_broken_str, "Mute", ""),
        (exits_with_zero, "SystemExit", ""),
        (exits_with_words, "SystemExit", "bad luck"),
        (leaves_with_zero, "ProcessEnded", "ended by itself with exit code 0 before"),
        (leaves_with_three, "ProcessEnded", "exit code 3"),
        (is_asked_to_end, "Terminated", "asked its process to end"),
        (is_killed, "ProcessKilled", r"killed \(SIGKILL\), by a person or for want of memory"),
        (aborts, "ProcessKilled", "SIGABRT"),
        (reads_nowhere, "ProcessKilled", "SIGSEGV"),
        pytest.param(
            overflows_the_stack,
            "ProcessKilled",
            "SIGSEGV",
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 12), reason="Python 3.12 bounds the stack of C itself"
            ),
        ),
        (recurses, "RecursionError", "maximum recursion depth"),
    ],
)
def test_an_end_is_told_in_words(run_alone, function, type, words):
    record = run_alone(function)

    assert record.status == "failed"
    assert record.failure.type.rpartition(".")[2] == type
    assert re.search(words, record.failure.message)


def test_a_crash_is_shown_at_the_users_line(run_alone):
    failure = run_alone(reads_nowhere).failure

    assert [frame.function for frame in failure.frames] == ["reads_nowhere", "string_at"]
    assert failure.frames[0].text.strip() == "ctypes.string_at(0)"
    assert b"in reads_nowhere" in run_alone.log
    assert os.fsencode(os.path.dirname(kalelite.__file__)) not in run_alone.log


@pytest.mark.parametrize("function", [comes_back_twice, raises_in_a_child])
def test_a_process_that_a_step_forks_is_not_the_task(tmp_path, function):
    forking = step(function)

    @pipeline
    def p():
        return forking()

    class Told:
        def __init__(self):
            self.ended = []

        def emit(self, event):
            if isinstance(event, TaskFinished):
                self.ended.append(event.record.status)

    told = Told()
    result = run_plan(p.plan(), {}, settings=LocalSettings(home=tmp_path / "home"), reporter=told)

    assert told.ended == ["succeeded"]
    assert result.value in {False, "the parent"}


def test_the_record_of_a_crash_is_on_the_disk(run_alone, tmp_path):
    run_alone(leaves_with_zero)

    (path,) = (tmp_path / "home").glob("runs/*/tasks/leaves-with-zero/record.json")
    assert "ended by itself" in path.read_text()


def test_binary_output_is_kept_as_it_is(run_alone):
    assert run_alone(prints_binary).status == "succeeded"

    assert run_alone.log.startswith(bytes(range(256)))
    assert run_alone.log.endswith(rb"lone surrogate \udc80, no newline" + b"\rbar")


@pytest.mark.parametrize("function", [closes_its_output, closes_every_descriptor])
def test_closed_streams_do_no_harm(run_alone, function):
    assert run_alone(function).status == "succeeded"


def test_what_compiled_code_prints_is_kept(run_alone):
    run_alone(prints_by_c)

    assert run_alone.log == b"from C"


def test_a_flood_is_cut_in_the_middle(run_alone):
    run_alone(prints_without_end, log_limit=1 << 20)

    assert len(run_alone.log) < 2 << 20
    assert run_alone.log.startswith(b"first line\n")
    assert run_alone.log.endswith(b"last line\n")
    assert b"MB of output left out" in run_alone.log


@pytest.mark.parametrize("function", [leaves_a_child, leaves_a_daemon, leaves_a_thread])
def test_what_a_step_leaves_behind_is_ended(run_alone, tmp_path, function):
    begun = time.monotonic()
    record = run_alone(function, str(tmp_path))

    assert record.status == "succeeded"
    assert time.monotonic() - begun < 60
    pid = int((tmp_path / "pid").read_text())
    if pid:
        _gone(pid)


def _gone(pid, seconds=20):
    """Wait until a process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return
        if stat.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still lives")


@pytest.mark.slow
def test_an_exit_function_that_hangs_is_ended(run_alone):
    begun = time.monotonic()

    assert run_alone(leaves_a_hanging_exit_function).status == "succeeded"
    assert time.monotonic() - begun < 60


def test_exit_functions_run(run_alone, tmp_path):
    run_alone(registers_an_exit_function, str(tmp_path))

    assert (tmp_path / "left").exists()


def test_changes_stay_in_the_process(run_alone, tmp_path):
    cwd, env = os.getcwd(), dict(os.environ)

    assert run_alone(changes_everything, str(tmp_path)).status == "succeeded"
    assert (os.getcwd(), dict(os.environ)) == (cwd, env)


def test_a_step_may_have_processes_of_its_own(run_alone):
    assert run_alone(uses_a_pool).status == "succeeded"


def test_a_run_whose_records_vanish_ends(tmp_path):
    vanish = step(removes_its_folder)

    @pipeline
    def vanishing():
        vanish(str(tmp_path))

    settings = LocalSettings(home=tmp_path / "home")
    result = run_plan(vanishing.plan(), {}, settings=settings)

    assert result.state == "succeeded"


def test_an_error_in_a_library_points_at_the_users_line(tmp_path):
    stops = step(stops_at_a_breakpoint)

    @pipeline
    def p():
        return stops()

    settings = LocalSettings(home=tmp_path / "home")
    result = run_plan(p.plan(), {}, settings=settings)

    with pytest.raises(StepError) as raised:
        result.check()
    # From Python 3.13 on the debugger stops at the call itself, before that at the next line.
    stops_at = "set_trace()" if sys.version_info >= (3, 13) else "return 1"
    assert raised.value.where.text.strip().endswith(stops_at)
    assert "--debug" in raised.value.hint
