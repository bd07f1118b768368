"""Pipelines that run here, each task in a process of its own."""

import os
import time
from pathlib import Path

import pytest
from local_steps import add, fail, label, note_status, numbers, one, pid, square, total

from kalelite import Collected, Elif, Else, ExitHandler, If, OneOf, ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.events import (
    LoopStarted,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.errors import StepError, UsageError
from kalelite.plan.options.values import Retries, Volume


class Events:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.all = []

    def emit(self, event):
        self.all.append(event)

    def of(self, kind):
        return [event for event in self.all if isinstance(event, kind)]


@pytest.fixture
def run(tmp_path):
    """Run a pipeline with parameters; gives the result, with the events as `events`."""

    def run_it(pipe, settings=None, **parameters):
        plan = pipe.plan()
        defaults = {parameter.name: parameter.default for parameter in plan.parameters}
        events = Events()
        given = {"home": tmp_path / "home", "jobs": 2, **(settings or {})}
        result = run_plan(
            plan, {**defaults, **parameters}, settings=LocalSettings(**given), reporter=events
        )
        run_it.events = events
        return result

    return run_it


def test_values_pass_from_step_to_step(run):
    @pipeline
    def sums(start: int = 3):
        first = add(start, one())
        return add(first, first)

    result = run(sums, start=4)

    assert result.state == "succeeded"
    assert result.value == 10


def test_each_task_has_a_process_of_its_own(run):
    @pipeline
    def processes():
        return [pid(), pid(), pid()]

    pids = run(processes).value

    assert len({*pids, os.getpid()}) == 4


def test_the_events_of_a_task_come_in_order(run):
    @pipeline
    def single():
        one()

    run(single)

    kinds = [type(event) for event in run.events.all]
    assert kinds == [RunStarted, TaskStarted, TaskFinished, RunFinished]
    assert run.events.of(TaskFinished)[0].peak > 1_000_000


def test_a_step_sees_the_folder_the_environment_and_the_arguments_of_the_driver(
    run, tmp_path, monkeypatch
):
    @step
    def surroundings():
        import sys

        mask = os.umask(0)
        return os.getcwd(), os.environ.get("OF_THE_DRIVER"), sys.argv, mask

    @pipeline
    def look():
        return surroundings()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_DRIVER", "yes")
    monkeypatch.setattr("sys.argv", ["script.py", "--flag"])

    assert run(look).value == (str(tmp_path), "yes", ["script.py", "--flag"], 0o022)


def test_stdin_is_empty(run):
    @step
    def ask():
        import sys

        return sys.stdin.read(), os.read(0, 10)

    @pipeline
    def asking():
        return ask()

    assert run(asking).value == ("", b"")


def test_numpy_random_numbers_differ_between_processes(run):
    np = pytest.importorskip("numpy")

    @step
    def draw():
        return float(np.random.rand())

    @pipeline
    def draws():
        return [draw(), draw(), draw()]

    assert len(set(run(draws).value)) == 3


# --- control flow -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "expected"), [(1, "low"), (5, "middle"), (50, "high")])
def test_branches_and_one_of(run, n, expected):
    @pipeline
    def branches(n: int = 0):
        value = add(n, 0)
        with If(value > 10):
            high = label("high")
        with Elif(value > 3):
            middle = label("middle")
        with Else():
            low = label("low")
        return OneOf(high, middle, low)

    result = run(branches, n=n)

    assert result.value == expected
    assert {event.status for event in run.events.of(TaskSkipped)} == {"skipped"}


@pytest.mark.parametrize(("n", "expected"), [(0, 0), (1, 0), (5, 30)])
def test_a_loop_over_a_result_and_its_fan_in(run, n, expected):
    @pipeline
    def loop(n: int = 0):
        with ParallelFor(numbers(n)) as item:
            squared = square(item)
        return total(Collected(squared))

    assert run(loop, n=n).value == expected
    assert run.events.of(LoopStarted)[0].count == n


def test_items_are_dicts_and_loops_nest(run):
    @pipeline
    def nested():
        with ParallelFor([{"a": 1, "b": [1, 2]}, {"a": 10, "b": [3]}]) as item:
            with ParallelFor(item.b) as inner:
                product = add(item.a, inner)
        return Collected(product)

    assert run(nested).value == [[2, 3], [13]]


@pytest.mark.parametrize(("bad", "text"), [(False, "SUCCEEDED  "), (True, "FAILED fail boom")])
def test_an_exit_handler_runs_whatever_happens(run, tmp_path, bad, text):
    @pipeline
    def guarded():
        with ExitHandler(note_status(str(tmp_path))):
            if bad:
                fail()
            else:
                one()

    result = run(guarded)

    assert (tmp_path / "status").read_text() == text
    assert result.state == ("failed" if bad else "succeeded")


def test_a_failure_leaves_independent_branches_alone(run):
    @pipeline
    def branches():
        bad = fail()
        add(bad, 1)
        return add(one(), 1)

    result = run(branches)

    assert result.state == "failed"
    assert result.value == 2
    skipped = run.events.of(TaskSkipped)
    assert [(event.task, event.status, event.reason) for event in skipped] == [
        ("add", "not run", "fail failed")
    ]
    with pytest.raises(ValueError, match="boom") as raised:
        result.check()
    cause = raised.value.__cause__
    assert isinstance(cause, StepError)
    assert "fail failed: ValueError: boom" in str(cause)
    assert "in fail" in cause.__notes__[0]


def test_a_tolerant_step_runs_with_its_default(run):
    @step(ignore_failures=True)
    def report(value=None):
        return value

    @pipeline
    def tolerant():
        return report(fail())

    result = run(tolerant)

    assert result.value is None
    assert result.state == "failed"


# --- options ----------------------------------------------------------------------------------


def test_env_is_set_for_the_step_only(run):
    @step
    def read():
        return os.environ.get("MODE")

    @pipeline
    def modes():
        return [read.options(env={"MODE": "fast"})(), read()]

    assert run(modes).value == ["fast", None]


def test_a_variable_that_is_read_at_import_starts_a_fresh_interpreter(run):
    @step(env={"PYTHONHASHSEED": "7"})
    def hashed():
        import sys

        return sys.flags.hash_randomization, hash("text")

    @pipeline
    def hashes():
        return [hashed(), hashed()]

    first, second = run(hashes).value

    assert first == second


def test_retries_go_on_until_it_works(run, tmp_path):
    @step(retries=Retries(3, wait=0.01))
    def flaky(folder: str) -> int:
        tries = len(list(Path(folder).glob("try-*")))
        Path(folder, f"try-{tries}").touch()
        print("try", tries)
        if tries < 2:
            raise OSError("not yet")
        return tries

    @pipeline
    def stubborn():
        return flaky(str(tmp_path))

    result = run(stubborn)

    assert result.value == 2
    assert [event.attempt for event in run.events.of(TaskRetried)] == [1, 2]
    log = (result.folder / "tasks" / "flaky" / "log.txt").read_text()
    assert log == "try 0\n--- attempt 2 ---\ntry 1\n--- attempt 3 ---\ntry 2\n"


def test_only_some_errors_are_worth_a_retry(run):
    @step(retries=Retries(3, only=("OSError",)))
    def wrong():
        raise ValueError("always")

    @pipeline
    def hopeless():
        wrong()

    result = run(hopeless)

    assert result.state == "failed"
    assert run.events.of(TaskRetried) == []


class Flaky(Exception):
    pass


class VeryFlaky(Flaky):
    pass


@pytest.mark.parametrize(("raised", "attempts"), [(VeryFlaky, 3), (KeyError, 1)])
def test_errors_of_the_user_s_own_are_worth_a_retry_with_those_derived_from_them(
    run, raised, attempts
):
    @step(retries=Retries(2, only=(Flaky,)))
    def wrong():
        raise raised("always")

    @pipeline
    def hopeless():
        wrong()

    assert run(hopeless).records["wrong"].attempt == attempts


def test_a_timeout_ends_an_attempt_and_lets_it_clean_up(run, tmp_path):
    @step(timeout=2)
    def slow(folder: str):
        try:
            time.sleep(60)
        finally:
            Path(folder, "cleaned").touch()

    @pipeline
    def late():
        slow(str(tmp_path))

    failure = run(late).failures[0].failure

    assert failure.type == "TimeoutError"
    assert failure.message == "it took longer than its timeout of 2 s"
    assert (tmp_path / "cleaned").exists()


def test_a_step_that_ignores_sigterm_is_killed(run):
    @step(timeout=2)
    def stubborn():
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    @pipeline
    def late():
        stubborn()

    failure = run(late, settings={"grace": 0.2}).failures[0].failure

    assert "did not react to SIGTERM and was killed" in failure.message


def test_cpus_are_slots(run):
    @step
    def busy():
        begun = time.monotonic()
        time.sleep(0.2)
        return begun, time.monotonic()

    @pipeline
    def parallel():
        return [busy.options(cpu="2")(), busy.options(cpu="2")()]

    first, second = sorted(run(parallel).value)

    assert first[1] <= second[0]


def test_gpus_are_given_out_by_name(run):
    @step(gpu=1)
    def visible():
        time.sleep(0.2)
        return os.environ["CUDA_VISIBLE_DEVICES"]

    @pipeline
    def training():
        return [visible(), visible(), visible()]

    found = run(training, settings={"gpus": ("3", "5"), "jobs": 3}).value

    assert found[:2] == ["3", "5"]


def test_memory_is_a_limit_that_is_told_in_words(run):
    @step(memory="200Mi")
    def greedy():
        return len(bytearray(400 << 20))

    @step(memory="200Mi")
    def modest():
        return len(bytearray(100 << 20))

    @pipeline
    def hungry():
        greedy()
        return modest()

    result = run(hungry)

    failure = result.failures[0].failure
    assert failure.type == "MemoryError"
    assert "200.0 MiB" in failure.hint
    assert result.value == 100 << 20


def test_a_volume_is_a_folder_at_its_path(run, tmp_path):
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "real" / "sub" / "file").write_text("data")
    mount = tmp_path / "mnt" / "data"

    @step(volumes=[Volume("claim", str(mount), sub_path="sub")])
    def read(path: str):
        return Path(path, "file").read_text()

    @pipeline
    def reading():
        return read(str(mount))

    result = run(reading, settings={"volumes": {"claim": tmp_path / "real"}})

    assert result.value == "data"
    assert not mount.is_symlink()


def test_a_volume_whose_place_is_taken_is_refused(run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "taken").mkdir()

    @step(volumes=[Volume("claim", str(tmp_path / "taken"))])
    def read():
        pass

    @pipeline
    def reading():
        read()

    with pytest.raises(UsageError, match="where something else is"):
        run(reading, settings={"volumes": {"claim": tmp_path / "real"}})


def test_what_has_no_effect_here_is_said_once(run):
    @step(labels={"team": "a"}, node_selector={"disk": "ssd"})
    def labelled():
        pass

    @pipeline
    def labels():
        labelled()
        labelled()

    run(labels)

    notes = [event.text for event in run.events.all if type(event).__name__ == "Note"]
    assert notes == ["These options have no effect on this machine: node_selector, labels."]


def test_secrets_and_config_maps_are_those_of_this_machine(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "from here")
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "user").write_text("me")
    creds, absent = str(tmp_path / "creds"), str(tmp_path / "absent")

    @step(
        secrets={"TOKEN": ("name", "key"), "NO_TOKEN": ("name", "other"), creds: "name"},
        config_maps={"MODE": ("name", "mode"), absent: "name"},
    )
    def read(folder):
        return os.environ["TOKEN"], os.environ.get("MODE"), Path(folder, "user").read_text()

    @pipeline
    def reading():
        return read(creds)

    assert run(reading).value == ("from here", None, "me")
    notes = [event.text for event in run.events.all if type(event).__name__ == "Note"]
    assert notes == [
        "Secrets and config maps are variables of your shell and folders of this machine, and these "
        f"are not there: {absent}, MODE, NO_TOKEN."
    ]


def test_spawn_gives_the_same_result(run):
    @pipeline
    def sums():
        return add(one(), one())

    assert run(sums, settings={"start": "spawn"}).value == 2


def test_an_unknown_way_to_start_is_refused(run):
    @pipeline
    def single():
        one()

    with pytest.raises(UsageError, match="start='thread'"):
        run(single, settings={"start": "thread"})


def test_a_reporter_that_breaks_does_not_end_the_run(tmp_path):
    class Broken:
        def emit(self, event):
            raise BrokenPipeError

    @pipeline
    def single():
        return one()

    settings = LocalSettings(home=tmp_path)
    result = run_plan(single.plan(), {}, settings=settings, reporter=Broken())

    assert result.value == 1
