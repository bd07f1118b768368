"""``kalelite sweep``, as people type it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from kalelite.runs import Run
from kalelite.runs.pipeline_run import list_runs
from kalelite.sweep.sweep_record import SweepFolder

SCRIPT = """
import os, time
import kalelite
from kalelite import pipeline, step

def note(text):
    with open(HERE + "/notes.txt", "a") as file:
        file.write(text + "\\n")

HERE = os.path.dirname(__file__)  # no Path, whose content would count

@step
def load(n: int):
    note("load")
    time.sleep(0.3)
    return list(range(n))

@step
def features(data, depth: int):
    note(f"features {depth}")
    return [x * depth for x in data]

@step
def train(data, lr: float, depth: int) -> float:
    if lr > 5:
        raise ValueError("too fast")
    while os.path.exists(HERE + "/hold") and depth == 3:
        note("held")
        time.sleep(0.05)
    loss = lr + abs(depth - 3)
    kalelite.log_metric("val_loss", loss + 1)
    kalelite.log_metric("val_loss", loss)
    return -loss

@pipeline
def main(n: int = 3, lr: float = 0.1, depth: int = 2):
    return train(features(load(n), depth), lr, depth)
"""
SWEEP = ["sweep", "train.py", "-p", "lr=[0.1, 0.2]", "-p", "depth=2..3"]
BEST = ["--objective", "val_loss", "--minimize"]


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def sweep(shell):
    """The command, beside the script; ``sweep.home`` is where its runs are."""
    shell.write("train.py", SCRIPT)
    shell.home = shell.folder / ".kalelite"
    return shell


def test_a_grid(sweep):
    done = sweep(*SWEEP, *BEST, "-j", "2")

    assert done.returncode == 0, done.stderr
    found = SweepFolder.find(sweep.home, "last").read()
    assert [trial.value for trial in found.trials] == pytest.approx([1.1, 0.1, 1.2, 0.2])
    best = found.trials[1]
    assert f"best  val_loss 0.1 with -p lr=0.1 -p depth=3, run {best.run}" in done.stdout
    assert "4 of 4 trials succeeded" in done.stdout

    notes = (sweep.folder / "notes.txt").read_text().splitlines()
    assert sorted(notes) == ["features 2", "features 3", "load"], "what is equal runs once"

    runs = {run.id: run for run in list_runs(folder=sweep.home)}
    assert set(runs) == {trial.run for trial in found.trials}
    assert runs[best.run].parameters == {"n": 3, "lr": 0.1, "depth": 3}
    assert runs[best.run].tags.tags == {"sweep": found.id, "trial": "2"}

    page = (sweep.home / "sweeps" / found.id / "sweep.html").read_text()
    assert page.count("<svg") == 3
    assert best.run in page


def test_an_output_as_the_objective_and_trials_that_fail(sweep):
    words = ["sweep", "train.py", "-p", "lr=[9, 0.3]", "-p", "n=2"]
    done = sweep(*words, "--objective", "train", "--maximize", "--output", "json")

    assert done.returncode == 1
    *trials, last = objects(done)
    ended = [each for each in trials if each["state"] in {"failed", "succeeded"}]
    assert [each["problem"] for each in ended] == ["train: too fast", ""]
    assert ended[1]["value"] == pytest.approx(-1.3)
    assert last["best"] == 2
    assert Run.open(ended[1]["run"], folder=sweep.home).parameters["n"] == 2


def test_a_sweep_is_stopped_and_goes_on(sweep):
    (sweep.folder / "hold").touch()
    words = [sys.executable, "-m", "kalelite", *SWEEP, *BEST]
    with subprocess.Popen(
        words, cwd=sweep.folder, env=sweep.environ, stdout=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 60
        while "held" not in _read(sweep.folder / "notes.txt") and time.monotonic() < until:
            time.sleep(0.05)
        busy = sweep("sweep", "--resume", "last")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "is still going on" in busy.stderr
    before = SweepFolder.find(sweep.home, "last").read()
    assert [trial.state for trial in before.trials] == ["succeeded", "interrupted"]

    (sweep.folder / "hold").unlink()
    done = sweep("sweep", "--resume", "last")

    assert done.returncode == 0, done.stderr
    after = SweepFolder.find(sweep.home, "last").read()
    assert [trial.state for trial in after.trials] == ["succeeded"] * 4
    assert after.trials[0] == before.trials[0]
    assert after.trials[1].run != before.trials[1].run
    notes = [line for line in _read(sweep.folder / "notes.txt").splitlines() if line != "held"]
    assert sorted(notes) == ["features 2", "features 3", "load"]


def _read(path):
    return path.read_text() if path.exists() else ""


def test_optuna_searches_and_goes_on(sweep):
    pytest.importorskip("optuna", reason="pip install 'kalelite[sweep]'")
    words = ["sweep", "train.py", "-p", "lr=0.1..1.0", "-p", "depth=1..6", "--seed", "1"]

    done = sweep(*words, *BEST, "--search", "tpe", "--trials", "3")

    assert done.returncode == 0, done.stderr
    folder = SweepFolder.find(sweep.home, "last")
    found = folder.read()
    assert len(found.trials) == 3
    assert all(0.1 <= t.point["lr"] <= 1.0 and 1 <= t.point["depth"] <= 6 for t in found.trials)
    folder.write(replace(found, number=4))
    sweep("sweep", "--resume", "last")
    assert [trial.run for trial in folder.read().trials][:3] == [
        trial.run for trial in found.trials
    ]
    assert len(folder.read().done) == 4


def test_a_script_that_cannot_run_ends_the_sweep(sweep):
    sweep.write("train.py", SCRIPT + "\nif __name__ == '__main__':\n    main(lr='fast')\n")

    done = sweep(*SWEEP, "--output", "json")

    assert done.returncode in {2, 3, 4}
    assert "lr" in done.stderr


def test_a_script_with_a_loop_of_runs_is_none_for_a_sweep(sweep):
    loop = "\nif __name__ == '__main__':\n    for n in (1, 2):\n        main(n)\n"
    sweep.write("train.py", SCRIPT + loop)

    alone = sweep("train.py")
    assert [run.parameters["n"] for run in list_runs(folder=sweep.home)] == [2, 1]
    assert alone.stdout.count("✓ main succeeded") == 2
    done = sweep(*SWEEP)

    assert done.returncode == 2
    assert "train.py calls more than one pipeline: a trial is one run" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.py"], "nothing is swept"),
        (["train.py", "-p", "speed=[1, 2]"], "there is no pipeline parameter called 'speed'"),
        (["train.py", "-p", "depth=[2, deep]"], "parameter depth: 'deep' is not"),
        (["train.py", "-p", "lr=0.1..0.5"], "lr has no end of values"),
        (["train.py", "-p", "lr=[1, 2]", "--objective", "x"], "is a small or a large one better?"),
        (["train.py", "-p", "lr=[1, 2]", "--minimize"], "what is compared?"),
        (["train.py", "-p", "lr=[1, 2]", "--search", "random"], "--search random needs to know"),
        (["train.py", "-p", "lr=[1, 2]", "--trials", "3"], "a grid has all its points"),
        (["train.py", "-p", "lr=1..20000"], "that is 20,000 trials"),
        (["--resume", "last"], "there is no sweep that begins with 'last'"),
        (["train.py", "--resume", "last"], "and not with a script"),
    ],
)
def test_what_cannot_be_meant(face, tmp_path, words, message):
    (tmp_path / "train.py").write_text(SCRIPT)

    done = face("sweep", *words)

    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.glob(".kalelite/sweeps/*"))
