"""Steps that kalelite brings: `kalelite.snapshot` as a task, and called plainly."""

from __future__ import annotations

import pytest

from kalelite import (
    ParallelFor,
    PipelineError,
    StepError,
    UsageError,
    pipeline,
    snapshot,
    step,
    sync,
)
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
        snapshot("workspace", snapshot_class="Fast_1")

    with pytest.raises(PipelineError) as caught:
        wrong()

    text = str(caught.value)
    assert "step `snapshot` takes `volume: str`, and 3 is int" in text
    assert "snapshot is given no name of a volume" in text
    assert "snapshot_class='Fast_1' is not a name that Kubernetes allows" in text
    assert "snapshot is no step whose result could be kept" in text


def test_a_folder_that_is_not_there_is_an_error_of_the_step(project):
    @pipeline
    def missing():
        snapshot("nowhere")

    with pytest.raises(StepError, match="no folder 'nowhere' to take a snapshot of"):
        missing()


@pytest.mark.parametrize("debug", [False, True])
def test_what_is_synced_flows_through_a_pipeline(project, debug):
    pytest.importorskip("fsspec", reason="there is no fsspec: pip install 'kalelite[s3]'")
    (project / "store").mkdir()
    (project / "store" / "n.txt").write_text("7")

    @step
    def double(folder: str) -> str:
        from pathlib import Path

        number = int((Path(folder) / "n.txt").read_text())
        Path("out").mkdir(exist_ok=True)
        (Path("out") / "n.txt").write_text(str(2 * number))
        return "out"

    @pipeline
    def there_and_back():
        return sync(double(sync(f"file://{project}/store", "data/")), f"file://{project}/results")

    with use_backend(open_backend("local", debug=debug)):
        assert there_and_back() == f"file://{project}/results"

    assert (project / "results" / "n.txt").read_text() == "14"


def test_mistakes_of_sync_are_shown_before_anything_runs():
    @pipeline
    def wrong():
        sync("data", "out")
        sync("s3://a/b", "s3://c/d")
        sync("s3://a/b", 3)
        sync("s3://a/b", "data", parallelism=0)
        sync("s3://a/b", "data", storage_options={"secret": "x"})
        sync("s3://user:password@a/b", "data")
        sync("s3://a/b", "data", remove=True)

    with pytest.raises(PipelineError) as caught:
        wrong.plan()

    assert [each.message for each in caught.value.problems] == [
        "sync copies between a store and a folder, not between two folders",
        "sync copies between a store and a folder, not between two URLs",
        "step `sync` takes `target: str`, and 3 is int",
        "parallelism=0 is not a number of files to copy at once",
        "sync is given a secret in storage_options",
        "sync is given a secret in a URL",
        "step `sync` cannot be called like this: it has no parameter `remove`",
    ]


def test_a_library_that_is_not_there_is_named_before_anything_runs(project):
    @pipeline
    def elsewhere():
        return sync("gs://bucket/in", "data")

    with pytest.raises(UsageError, match="sync needs .*gcsfs: not installed here"):
        elsewhere()
    assert not (project / ".kalelite" / "runs").exists()


def test_compiled_it_says_which_packages_the_image_lacks(tmp_path):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

    @pipeline
    def elsewhere():
        return sync("s3://bucket/in", "data")

    notes = elsewhere.compile(tmp_path / "out.yaml")

    assert any("lacks what steps import: fsspec (sync), s3fs (sync)" in each for each in notes)
