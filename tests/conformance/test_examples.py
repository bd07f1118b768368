"""Real programs that combine what a pipeline can say: values, order, metrics, errors, files."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from conformance_programs import arguments_of, load

from kalelite.authoring.events import Note
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.errors import StepError
from kalelite.runs.logged import artifacts_of
from kalelite.runs.pipeline_run import Run

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.py"))
NEEDS = {"grid_search": ["sklearn"], "report": ["pandas", "matplotlib"]}


class Listener:
    """Keeps what a run tells."""

    def __init__(self):
        self.notes = []

    def emit(self, event):
        if isinstance(event, Note):
            self.notes.append(event.text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path, monkeypatch):
    for library in NEEDS.get(path.stem, ()):
        pytest.importorskip(library, reason=f"needs {library}: pip install {library}")
    program = load(path)
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.chdir(tmp_path)
    plan = program.main.plan()
    arguments = arguments_of(program, plan, tmp_path)
    listener = Listener()
    home = tmp_path / "home"

    result = run_plan(plan, arguments, settings=LocalSettings(home=home), reporter=listener)

    assert result.state == getattr(program, "STATE", "succeeded"), result.failures
    if hasattr(program, "EXPECTED"):
        assert result.value == program.EXPECTED
    hold_records(program, result)
    hold_run(program, Run.open(result.run, folder=home))
    for text in getattr(program, "NOTES", ()):
        assert text in listener.notes
    if hasattr(program, "JOURNAL"):
        assert (tmp_path / "journal.txt").read_text().split() == program.JOURNAL


def hold_records(program, result):
    """Values, failures and order of the tasks."""
    for name, value in getattr(program, "VALUES", {}).items():
        assert result.output(name) == value
    for name, (kind, words) in getattr(program, "FAILS", {}).items():
        failure = result.records[name].failure
        assert failure.type == kind
        assert words in failure.message + failure.hint
        with pytest.raises(StepError):
            result.output(name)
    if hasattr(program, "RAN"):
        assert sorted(result.records) == sorted(program.RAN)
    records = [result.records[name] for name in getattr(program, "ORDER", ())]
    for before, after in itertools.pairwise(records):
        assert before.finished <= after.started, (before.task, after.task)


def hold_run(program, run):
    """What the run's record says of metrics and artifacts."""
    for name, value in getattr(program, "METRICS", {}).items():
        assert run.metrics[name] == pytest.approx(value)
    for name, kind in getattr(program, "ARTIFACTS", {}).items():
        (found,) = [one for one in artifacts_of(run.tasks) if f"{one.task}.{one.name}" == name]
        assert found.kind == kind
        assert run.artifacts[name].stat().st_size > 0
