"""Snapshots of folders: whole or not there, listed in order, restored as they were."""

from __future__ import annotations

import os

import pytest

from kalelite.errors import UsageError
from kalelite.volumes.folder_snapshots import FolderSnapshots


@pytest.fixture
def folder(tmp_path):
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data" / "in.txt").write_text("before")
    (work / "inside").symlink_to(work / "data")
    return work


@pytest.fixture
def snapshots(folder):
    times = iter(range(1_800_000_000, 1_800_000_100))
    return FolderSnapshots(folder / ".kalelite", clock=lambda: float(next(times)))


def test_it_holds_the_state_of_that_time(folder, snapshots, tmp_path):
    taken = snapshots.take("workspace", folder, run="r", step="s")
    (folder / "data" / "in.txt").write_text("after")

    snapshots.restore(taken.id, tmp_path / "restored")

    assert (tmp_path / "restored" / "data" / "in.txt").read_text() == "before"
    assert os.readlink(tmp_path / "restored" / "inside") == str(tmp_path / "restored" / "data")
    assert not (tmp_path / "restored" / ".kalelite").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["restored", "work"]


def test_they_are_listed_in_order_with_run_step_and_time(folder, snapshots):
    first = snapshots.take("workspace", folder, run="r1", step="snapshot")
    second = snapshots.take("/data", folder / "data")

    assert snapshots.all() == [first, second]
    assert (first.run, first.step, first.time, first.files) == ("r1", "snapshot", 1_800_000_000, 1)
    assert (second.volume, second.folder, second.size) == ("/data", str(folder / "data"), 6)


def test_one_that_cannot_be_taken_leaves_nothing(folder, snapshots, tmp_path):
    with pytest.raises(UsageError, match="no snapshot of .*gone can be taken"):
        snapshots.take("gone", tmp_path / "gone")

    assert snapshots.all() == []
    assert list((folder / ".kalelite" / "snapshots").iterdir()) == []


def test_nothing_is_restored_over_what_is_there(folder, snapshots):
    taken = snapshots.take("workspace", folder)

    with pytest.raises(UsageError, match="is not an empty folder"):
        snapshots.restore(taken.id, folder)
    assert (folder / "data" / "in.txt").read_text() == "before"


def test_an_empty_folder_may_become_the_restored_one(folder, snapshots, tmp_path):
    taken = snapshots.take("workspace", folder)
    (tmp_path / "empty").mkdir()

    snapshots.restore(taken.id, tmp_path / "empty")

    assert (tmp_path / "empty" / "data" / "in.txt").read_text() == "before"


def test_a_deleted_one_is_gone(folder, snapshots):
    taken, kept = (snapshots.take("workspace", folder) for _ in range(2))
    snapshots.delete(taken.id)

    assert snapshots.all() == [kept]
    assert [p.name for p in (folder / ".kalelite" / "snapshots").iterdir()] == [kept.id]
