"""The number by which trials are compared."""

from __future__ import annotations

import shutil

import pytest

from kalelite import pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.errors import UsageError
from kalelite.runs import Run
from kalelite.sweep.objective import objective_of


@step
def judge():
    score, words = 1 / 3, {"a": 1}
    return score, words


@step
def count():
    return 7


@pipeline
def study():
    score, words = judge()
    count()


@pytest.fixture
def run(tmp_path):
    with use_backend(LocalBackend(LocalSettings(home=tmp_path))):
        study()
    return Run.open(folder=tmp_path)


def test_a_number_that_a_step_gave_is_read_where_its_value_is_not(run, tmp_path):
    shutil.rmtree(tmp_path / "store")

    assert objective_of(run, "judge.score") == 1 / 3
    assert objective_of(run, "count") == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("judge.words", "is no number but a dict"),
        ("judge", "stands for 2 values"),
        ("nothing", "no metric and no output"),
    ],
)
def test_what_is_no_number(run, name, message):
    with pytest.raises(UsageError, match=message):
        objective_of(run, name)
