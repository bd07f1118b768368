"""Where a step finds itself in its pod."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kalelite.backends.kubeflow.pod.surroundings import index_of, settle_down

NODE = (
    "main-x(0).root(0).for-loop-2(0).iteration-iterations(3:30)(0).iteration-item.for-loop-1."
    "iteration-iterations(11:a(5:b)).iteration-item.work.executor(1)"
)


@pytest.mark.parametrize(("loops", "index"), [(0, ()), (1, (3,)), (2, (3, 11))])
def test_the_place_in_loops_is_in_the_name_of_the_node(loops, index):
    """A retry has a number, too, and an item may hold what looks like a place."""
    assert index_of(NODE, loops) == index


def test_a_node_without_a_place(monkeypatch):
    with pytest.raises(LookupError, match="no place in 1 loops"):
        index_of("main-x.root.work.executor", 1)


@pytest.fixture
def surroundings(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir("/")
    return tmp_path


def test_a_step_starts_where_it_may_write(surroundings):
    settle_down("")
    assert Path.cwd() != Path("/")
    Path("relative.txt").write_text("x")
    assert os.environ["HOME"] == str(Path.cwd())


def test_a_step_starts_in_the_workspace_if_that_is_mounted(surroundings):
    work = surroundings / "work"
    work.mkdir()
    settle_down(str(work))
    assert Path.cwd() == work


def test_a_folder_of_the_image_is_kept(surroundings, monkeypatch):
    monkeypatch.chdir(surroundings)
    monkeypatch.setenv("HOME", str(surroundings))
    settle_down("/not/there")
    assert Path.cwd() == surroundings
    assert os.environ["HOME"] == str(surroundings)
