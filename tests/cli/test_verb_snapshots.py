"""``kalelite snapshots``."""

from __future__ import annotations

import json

import pytest

SCRIPT = """
from pathlib import Path
from kalelite import pipeline, snapshot, step

@step
def train(n: int) -> int:
    Path("model.txt").write_text(f"trained {n}")
    return n

@pipeline
def main(n: int = 3):
    return snapshot("workspace", after=train(n))
"""


@pytest.fixture
def taken(shell):
    """The id of the snapshot that a run has taken."""
    shell.write("train.py", SCRIPT)
    shell("train.py")
    return json.loads(shell("snapshots", "--output", "json").stdout)["id"]


def test_they_are_listed_with_run_step_and_time(shell, taken):
    head, row = shell("snapshots").stdout.splitlines()

    assert head.split() == ["snapshot", "of", "run", "step", "taken", "size"]
    run = next(shell.folder.glob(".kalelite/runs/*")).name
    assert row.split()[:4] == [taken, "workspace", run, "snapshot"]


def test_without_one_it_says_so(shell):
    assert shell("snapshots").stdout == "no snapshots in .kalelite/snapshots\n"
    assert "there are no snapshots here" in shell("snapshots", "delete", "last").stderr


def test_one_is_restored_into_a_new_folder(shell, taken):
    shell.write("model.txt", "spoilt")

    done = shell("snapshots", "restore", taken[:15], "--to", "restored")

    assert done.stdout == f"restored {taken} to restored: 2 files\n"
    assert (shell.folder / "restored" / "model.txt").read_text() == "trained 3"


def test_one_is_deleted(shell, taken):
    assert shell("snapshots", "delete", "last").stdout == f"deleted {taken}\n"
    assert shell("snapshots").stdout.startswith("no snapshots")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["restore", "last"], "restore takes a snapshot and a folder"),
        (["restore", "last", "--to", "."], ". is not an empty folder"),
        (["delete"], "which snapshot?"),
        (["delete", "2001"], "there is no snapshot that begins with '2001'"),
        (["--to", "x"], "--to goes with restore"),
        (["list", "x"], "unexpected argument 'x'"),
    ],
)
def test_mistakes_are_told(shell, taken, words, message):
    done = shell("snapshots", *words)

    assert done.returncode == 2
    assert f"error: {message}" in done.stderr
