"""Every program runs here and as a compiled pipeline, with the same values, order and errors."""

from __future__ import annotations

import pytest

WITHOUT_A_VOLUME = (
    "batches",
    "chain",
    "collected_from_empty_list",
    "exit_handler",
    "failure",
    "files",
    "ignored_chain",
    "loop_of_objects",
    "nested_branches",
    "nested_loops",
    "nested_pipeline",
    "one_of_anything",
    "retries",
)
"""Programs whose values travel as artifacts, too: one for each way that they go."""


def journal_of(folder):
    """What the steps wrote down, in the order they did."""
    path = folder / "journal.txt"
    return path.read_text().split() if path.exists() else []


def test_program_runs(program, backend, run_on, tmp_path):
    hold(program, run_on(program, backend), journal_of(tmp_path / "journal-here"))


@pytest.mark.parametrize("pods", ["each", "few"])
def test_program_runs_compiled(program, pods, run_compiled, tmp_path):
    hold(program, run_compiled(program, pods=pods), journal_of(tmp_path / "journal-compiled"))


@pytest.mark.parametrize("program", WITHOUT_A_VOLUME, indirect=True)
@pytest.mark.parametrize("pods", ["each", "few"])
def test_program_runs_without_a_volume(program, pods, run_compiled, tmp_path):
    seen = run_compiled(program, pods=pods, marshal="artifacts")
    hold(program, seen, journal_of(tmp_path / "journal-compiled"))


def hold(program, seen, journal):
    """Hold a run to what its program expects of any backend."""
    assert seen.state == getattr(program, "STATE", "succeeded"), seen.log
    if hasattr(program, "EXPECTED"):
        assert seen.value == program.EXPECTED
        assert type(seen.value) is type(program.EXPECTED)
    for task, count in getattr(program, "RAN", {}).items():
        assert seen.succeeded[task] == count, (task, seen.succeeded)
    for task, count in getattr(program, "ATTEMPTS", {}).items():
        assert seen.attempts[task] == count, (task, seen.attempts)
    for task, (kind, message) in getattr(program, "FAILS", {}).items():
        assert seen.failed[task][0].rpartition(".")[2] == kind
        assert message in seen.failed[task][1]
    if hasattr(program, "JOURNAL"):
        assert journal == program.JOURNAL


@pytest.mark.parametrize("pods", ["each", "few"])
def test_containers_run_compiled(run_compiled, container_program, pods):
    hold(container_program, run_compiled(container_program, pods=pods), [])
