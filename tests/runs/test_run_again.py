"""A run that goes on in the process of a notebook or a script."""

from __future__ import annotations

import pytest

from kalelite import pipeline, step
from kalelite.errors import UsageError
from kalelite.runs import Run


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@step
def numbers(n: int) -> list:
    return list(range(n))


@step
def total(xs) -> int:
    with open("mended") as file:
        return sum(xs) + len(file.read())


@pipeline
def sums(n: int = 4):
    return total(numbers(n))


def test_a_failed_run_goes_on_once_its_cause_is_gone(home):
    with pytest.raises(FileNotFoundError):
        sums(5)
    (home / "mended").touch()

    assert Run.open().resume() == 10
    assert Run.open().tasks["numbers"].status == "cached"


def test_a_pipeline_goes_on_with_a_run(home):
    with pytest.raises(FileNotFoundError):
        sums(5)
    (home / "mended").touch()

    assert sums.run(5, resume="last") == 10
    assert Run.open().resumes


def test_a_parameter_that_is_called_resume_is_one(home):
    @pipeline
    def own(resume: int = 1):
        return numbers(resume)

    assert own.run(resume=2) == [0, 1]


def test_a_run_whose_pipeline_is_not_here_is_refused(home):
    @pipeline(name="passing")
    def passing():
        return numbers(1)

    passing()
    run = Run.open()
    del passing
    import gc

    gc.collect()

    with pytest.raises(UsageError, match="there is no pipeline 'passing' here"):
        run.resume()
