"""What pods hand on to one another where they share no volume."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kalelite.backends.kubeflow.pod.run_home import KEPT, open_home
from kalelite.executor import record_file
from kalelite.executor.spec import Record


def side(**paths):
    """One side of an executor input, with artifacts at these paths."""
    return {
        "artifacts": {
            f"{KEPT}{name}": {"artifacts": [{"uri": str(path)} for path in found]}
            for name, found in paths.items()
        }
    }


@pytest.fixture
def pod(tmp_path):
    """A pod that takes artifacts from folders and leaves one, each with a disk of its own."""

    def pod(name, *taken):
        out = tmp_path / name / "out"
        out.parent.mkdir()
        received = {"inputs": side(before=taken), "outputs": side(**{name: [out]})}
        return open_home("r1", received), received["outputs"], out

    return pod


def finish(home, instance, **values):
    """Let an instance leave values, as the executor does."""
    folder = home.records.make(instance)
    outputs = {name: {"ref": home.store.save(value)} for name, value in values.items()}
    record_file.commit(Record(instance, "succeeded", outputs=outputs), folder / "record.json")


def value(home, instance, output):
    return home.store.load(home.records.record(instance).outputs[output]["ref"])


def test_values_of_all_kinds_come_to_the_next_pod(pod, tmp_path):
    data = tmp_path / "data"
    (data / "empty").mkdir(parents=True)
    (data / "run.sh").write_text("echo")
    (data / "run.sh").chmod(0o755)
    (data / "link").symlink_to("run.sh")
    first, outputs, out = pod("first")
    finish(first, "make[0]", small={"a": 1}, large=b"x" * 3_000_000, folder=data)
    first.hand_on(outputs, [f"{KEPT}first"])
    second, _, _ = pod("second", out)
    assert second.brought == {"make[0]"}
    assert value(second, "make[0]", "small") == {"a": 1}
    assert value(second, "make[0]", "large") == b"x" * 3_000_000
    found = value(second, "make[0]", "folder")
    assert isinstance(found, Path)
    assert (found / "empty").is_dir()
    assert os.access(found / "run.sh", os.X_OK)
    assert os.readlink(found / "link") == "run.sh"


def test_a_pod_hands_on_its_own_only(pod):
    first, outputs, out = pod("first")
    finish(first, "make", x="of the first")
    first.hand_on(outputs, [f"{KEPT}first"])
    second, outputs, out = pod("second", out)
    finish(second, "use", y="of the second")
    second.hand_on(outputs, [f"{KEPT}second"])
    assert [path.name for path in (out / "tasks").iterdir()] == ["use"]
    assert len(list((out / "objects").rglob("*-*"))) == 1


def test_a_value_that_was_taken_and_is_given_again_is_handed_on(pod):
    first, outputs, out = pod("first")
    finish(first, "make", x=[1, 2])
    first.hand_on(outputs, [f"{KEPT}first"])
    second, outputs, out = pod("second", out)
    finish(second, "same", x=[1, 2])
    second.hand_on(outputs, [f"{KEPT}second"])
    third, _, _ = pod("third", out)
    assert value(third, "same", "x") == [1, 2]


def test_what_stands_in_for_a_branch_brings_nothing(pod):
    first, outputs, out = pod("first")
    finish(first, "other", x="not asked for")
    first.hand_on(outputs, [])
    assert [path.name for path in out.iterdir()] == ["kalelite"], "no store has empty folders"
    second, _, _ = pod("second", out)
    assert second.brought == frozenset()


def test_large_values_are_linked_not_copied(pod):
    first, outputs, out = pod("first")
    finish(first, "make", x=b"x" * 3_000_000)
    first.hand_on(outputs, [f"{KEPT}first"])
    (payload,) = (path for path in (out / "payloads").rglob("*") if path.is_file())
    assert payload.stat().st_nlink == 2
