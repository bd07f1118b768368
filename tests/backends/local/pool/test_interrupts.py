"""Ctrl-C, SIGTERM, kill -9 and a terminal that goes away, sent to a driver process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import os, subprocess, sys, time
from pathlib import Path
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.authoring.events import BriefReporter
from kalelite import ExitHandler, pipeline, step

folder = Path(sys.argv[1])

@step
def slow(name: str, stubborn: bool):
    import signal
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "120"], start_new_session=True)
    Path(sys.argv[1], name + "-child").write_text(str(child.pid))
    Path(sys.argv[1], name).write_text(str(os.getpid()))
    try:
        time.sleep(120)
        return name
    finally:
        Path(sys.argv[1], name + "-cleaned").touch()

@step
def clean():
    Path(sys.argv[1], "handled").touch()

@step
def after(value):
    pass

@pipeline
def p():
    stubborn = "stubborn" in sys.argv
    with ExitHandler(clean()):
        a = slow("a", stubborn)
    after(slow("b", stubborn))

settings = LocalSettings(home=folder / "home", jobs=2, grace=float(sys.argv[2]))
result = run_plan(p.plan(), {}, settings=settings, reporter=BriefReporter())
print(result.state, flush=True)
"""


@pytest.fixture
def driver(tmp_path):
    """Starts a driver whose two first steps run; kills what is left of it at the end."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    started = []

    def start(*words, grace=20.0, **more):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), str(grace), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        started.append(process)
        _until(lambda: _pid(tmp_path / "a") and _pid(tmp_path / "b"))
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for name in ("a-child", "b-child"):
        if pid := _pid(tmp_path / name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _pid(path):
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def _gone(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def _state(tmp_path):
    (path,) = (tmp_path / "home" / "runs").glob("*/run.json")
    return json.loads(path.read_text())["state"]


def _no_steps_left(tmp_path):
    return all(_gone(_pid(tmp_path / name)) for name in ("a", "b", "a-child", "b-child"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_once_ends_the_steps_in_order(driver, tmp_path, number):
    process = driver()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert out == "interrupted\n"
    assert "Interrupt again to kill them" in err
    assert "after: not run: the run was interrupted" in err
    assert _no_steps_left(tmp_path)
    assert (tmp_path / "a-cleaned").exists()
    assert (tmp_path / "handled").exists()
    assert _state(tmp_path) == "interrupted"


def test_twice_kills_at_once(driver, tmp_path):
    process = driver("stubborn", grace=600.0)
    process.send_signal(signal.SIGINT)
    assert "Interrupt again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=100)

    assert out == "interrupted\n"
    _until(lambda: _no_steps_left(tmp_path))
    assert not (tmp_path / "a-cleaned").exists()
    # No step is left running in what the run says of itself.
    records = [
        json.loads(path.read_text()) for path in tmp_path.glob("home/runs/*/tasks/*/record.json")
    ]
    assert [record["failure"]["type"] for record in records] == ["Interrupted"] * 2


def test_a_stubborn_step_is_killed_after_the_grace(driver, tmp_path):
    process = driver("stubborn", grace=0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert out == "interrupted\n"
    assert _no_steps_left(tmp_path)
    assert (tmp_path / "handled").exists()


def test_no_step_survives_a_driver_that_is_killed(driver, tmp_path):
    process = driver()
    process.kill()

    _until(lambda: _no_steps_left(tmp_path))


def test_no_step_survives_a_fork_server_that_is_killed(driver, tmp_path):
    """And the run goes on: it says what was lost."""
    process = driver()
    parent = Path(f"/proc/{_pid(tmp_path / 'a')}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(parent), signal.SIGKILL)
    out, err = process.communicate(timeout=60)

    assert out == "failed\n"
    assert "the process that starts the steps was killed" in err
    assert _gone(_pid(tmp_path / "a"))
    assert _gone(_pid(tmp_path / "b"))
    assert (tmp_path / "handled").exists()


def test_a_terminal_that_has_gone_does_not_lose_the_run(driver, tmp_path):
    process = driver()
    process.stderr.close()
    process.send_signal(signal.SIGTERM)

    _until(lambda: _state(tmp_path) == "interrupted")
    process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_ignored(driver, tmp_path, number):
    """As SIGHUP is under nohup, and SIGINT in the background of a script."""
    process = driver(preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    process.send_signal(number)
    time.sleep(0.3)

    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n"
    # The ignored one was not counted, or this would have been the second.
    assert "Interrupt again to kill them" in err
    assert (tmp_path / "a-cleaned").exists()
