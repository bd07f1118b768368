"""Steps that kalelite brings: `kalelite.snapshot` as a task, and called plainly."""

from __future__ import annotations

import pytest

from kalelite import ParallelFor, PipelineError, StepError, pipeline, snapshot, step
from kalelite.authoring.backends import open_backend, use_backend
from kalelite.volumes.folder_snapshots import FolderSnapshots


@step
def train(n: int) -> int:
    from pathlib import Path

    Path("model.txt").write_text(f"trained {n}")
    return n


@step
def spoil(kept: str) -> None:
    from pathlib import Path

    Path("model.txt").write_text("spoilt")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".kalelite").mkdir()
    (tmp_path / "model.txt").write_text("none")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KALELITE_HOME", raising=False)
    return tmp_path


def model_in(project, id):
    return (project / ".kalelite" / "snapshots" / id / "content" / "model.txt").read_text()


@pipeline
def kept_between(n: int = 3):
    spoil(model := snapshot("workspace", after=train(n)))
    return model


@pytest.mark.parametrize("debug", [False, True])
def test_it_keeps_the_state_after_one_step_and_before_another(project, debug):
    with use_backend(open_backend("local", debug=debug)):
        id = kept_between()

    assert model_in(project, id) == "trained 3"
    assert (project / "model.txt").read_text() == "spoilt"
    (taken,) = FolderSnapshots(project / ".kalelite").all()
    assert (taken.id, taken.volume, taken.step) == (id, "workspace", "snapshot")
    assert (project / ".kalelite" / "runs" / taken.run / "run.json").is_file()


def test_beside_other_steps_and_in_loops_it_is_of_the_folder_itself(project):
    (project / "data").mkdir()
    (project / "data" / "in.txt").write_text("in")

    @pipeline
    def looped():
        train(1)
        with ParallelFor([1, 2]) as number:
            snapshot("data", after=train(number))

    looped()

    taken = FolderSnapshots(project / ".kalelite").all()
    assert sorted(each.step for each in taken) == ["snapshot[0]", "snapshot[1]"]
    for each in taken:
        content = project / ".kalelite" / "snapshots" / each.id / "content" / "in.txt"
        assert content.read_text() == "in"
        assert not content.is_symlink()


def test_called_plainly_it_is_taken_at_once(project):
    id = snapshot()

    assert model_in(project, id) == "none"
    assert FolderSnapshots(project / ".kalelite").all()[0].run == ""


def test_it_may_have_a_name_and_no_result_of_an_earlier_run_stands_for_it(project):
    @pipeline(defaults={"cache": True})
    def named():
        return snapshot.options(name="after-train")("workspace", after=train(1))

    first, second = named(), named()

    assert first != second
    assert FolderSnapshots(project / ".kalelite").all()[0].step == "after-train"


def test_mistakes_are_shown_with_all_others_before_anything_runs(project):
    @pipeline
    def wrong():
        snapshot(3)
        snapshot("")
        snapshot.options(cache=True)("workspace")

    with pytest.raises(PipelineError) as caught:
        wrong()

    text = str(caught.value)
    assert "takes the name of a volume, not 3" in text
    assert "takes the name of a volume, not ''" in text
    assert "snapshot is no step whose result could be kept" in text


def test_a_folder_that_is_not_there_is_an_error_of_the_step(project):
    @pipeline
    def missing():
        snapshot("nowhere")

    with pytest.raises(StepError, match="no folder 'nowhere' to take a snapshot of"):
        missing()


def test_kubeflow_refuses_it_at_its_line():
    backend = open_backend("kubeflow")

    problems = [each for each in backend.check(kept_between.plan()) if "snapshot" in each.message]

    assert "cannot be taken on Kubeflow" in problems[0].message
    assert "snapshot(" in problems[0].where.text
