"""A run that is killed at any of the writes of its record goes on, and pays for nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_cache_script import Script

from kalelite.backends.local.local_settings import LocalSettings
from kalelite.runs.pipeline_run import Run, list_runs

SCRIPT = """
import time
from kalelite import Collected, ParallelFor, pipeline, step

@step
def load() -> list:
    time.sleep(0.1)
    return [1, 2]

@step
def fit(x: int) -> int:
    time.sleep(0.02)
    return x * 10

@step
def add(xs) -> int:
    return sum(xs)

@pipeline
def main():
    with ParallelFor(load()) as x:
        y = fit(x)
    return add(Collected(y))
"""
KILLED_AT = Path(__file__).with_name("killed_at.py")


def killed_at(number, script, *words):
    paths = map(str, (KILLED_AT, number, script.path, script.home))
    command = [sys.executable, *paths, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def whole(script, *words):
    done = killed_at(-1, script, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_any_write_goes_on(tmp_path, every):
    number = whole(Script(tmp_path / "script.py", tmp_path / "whole", SCRIPT))["writes"]
    assert number > 15
    for last in range(1, number + 1, every):
        script = Script(tmp_path / "script.py", tmp_path / f"home-{last}", SCRIPT)
        assert killed_at(last, script).returncode == -signal.SIGKILL
        runs = list_runs(folder=script.home)
        if not runs:  # nothing was written yet, so nothing was paid for
            continue

        # The keys are written while the first step runs; a step that goes on may end without them.
        known = (runs[0].folder / "keys.json").exists()
        before = finished(runs[0]) if known else set()
        again = whole(script, "resume")

        assert again["value"] == 30
        # A process that was not killed may end while the run begins that goes on.
        assert before <= set(again["cached"]) <= finished(runs[0]), last


def finished(run: Run) -> set[str]:
    """The instances that have left their record."""
    tasks = run.tasks.items()
    return {name for name, task in tasks if task.record and task.record.status == "succeeded"}


def test_a_run_that_goes_on_and_is_killed_again_goes_on(tmp_path):
    """What the first had and the second had not come to is not lost."""
    script = Script(tmp_path / "script.py", tmp_path / "home", SCRIPT)
    first = script.run()
    (first.folder.folder / "tasks" / "add" / "record.json").unlink()
    second = script.run(LocalSettings(resume=first.id))
    (second.folder.folder / "kept.jsonl").write_text("")

    third = script.run(LocalSettings(resume=second.id))

    assert third.cached == ["load", "fit[0]", "fit[1]", "add"]
