"""Runs that no command stands around, and what steps print while a run goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import time
from kalelite import Collected, ParallelFor, pipeline, step

@step
def talk(n: int) -> list:
    print("talking")
    print("at length", end="")
    return list(range(n))

@step
def item(x: int) -> int:
    print("item", x)
    if x == 7:
        raise ValueError("seven")
    time.sleep(0.5)
    return x

@pipeline
def main(n: int = 2):
    with ParallelFor(talk(n)) as x:
        y = item(x)
    return Collected(y)
"""


@pytest.fixture
def script(shell):
    shell.write("script.py", SCRIPT + "\nif __name__ == '__main__':\n    print('gave', main())\n")
    return shell


def plainly(shell, *words, **environ):
    return subprocess.run(
        [sys.executable, *words],
        cwd=shell.folder,
        env=shell.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_script_that_python_runs_shows_its_run_beside_its_output(script):
    done = plainly(script, "script.py")

    assert done.stdout == "gave [0, 1]\n"
    assert "main: 2 steps, " in done.stderr
    assert "talk │ talking\ntalk │ at length\n" in done.stderr
    assert "for: 2 items" in done.stderr
    assert "main: succeeded" in done.stderr


def test_it_is_silent_where_that_is_wanted(script):
    done = plainly(script, "script.py", KALELITE_QUIET="1")

    assert (done.stdout, done.stderr) == ("gave [0, 1]\n", "")


def test_a_step_that_fails_shows_what_it_printed(shell):
    shell.write("script.py", SCRIPT.replace("x == 7", "x == 1") + "\nmain()\n")
    done = plainly(shell, "script.py")

    assert done.returncode == 1
    assert "item[1] │ item 1" in done.stderr
    assert "ValueError: seven" in done.stderr.splitlines()[-1]


def test_with_follow_all_steps_print_to_the_terminal(script):
    together = script("script.py", "--jobs", "2", "--follow")
    apart = script("script.py", "--jobs", "2")

    assert {"item[0] │ item 0", "item[1] │ item 1"} <= set(together.stdout.splitlines())
    assert "talk │ talking" in apart.stdout
    assert "item[1] │ item 1" not in apart.stdout


def test_logs_follow_a_run_to_its_end(script):
    command = [sys.executable, "-m", "kalelite", "script.py", "--jobs", "2", "-p", "n=6"]
    run = subprocess.Popen(
        command, cwd=script.folder, env=script.environ, stdout=subprocess.DEVNULL
    )
    while not list(script.folder.glob(".kalelite/runs/*/tasks/item*")):
        assert run.poll() is None

    done = script("logs", "last", "--follow")

    assert run.wait(60) == 0
    printed = done.stdout.splitlines()
    assert [line for line in printed if line.startswith("item[5]")] == ["item[5] | item 5"]
