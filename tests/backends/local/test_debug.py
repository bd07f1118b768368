"""Debugging: everything in this process, in order, and errors as they were raised."""

import os
import traceback

import pytest
from local_steps import add, fail, one, pid

from kalelite import ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.events import TaskSkipped
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.errors import StepError


@pytest.fixture
def debug(tmp_path):
    def run_it(pipe):
        settings = LocalSettings(home=tmp_path / "home", debug=True)
        return run_plan(pipe.plan(), {}, settings=settings)

    return run_it


def test_steps_run_here(debug):
    @pipeline
    def here():
        return pid()

    assert debug(here).value == os.getpid()


def test_steps_run_in_the_order_of_the_calls(debug):
    order = []

    @step
    def mark(name, value=None):
        order.append(name)

    @pipeline
    def marks():
        a = mark("a")
        mark("b", a)
        mark("c")
        with ParallelFor([1, 2]):
            mark("d")

    debug(marks)

    assert order == ["a", "b", "c", "d", "d"]


def test_an_exception_rises_as_it_was_raised(debug):
    @pipeline
    def failing():
        add(one(), fail("boom"))

    with pytest.raises(ValueError, match="boom") as caught:
        debug(failing)

    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].name == "fail"
    assert frames[-1].line == "raise ValueError(message)"


def test_what_does_not_run_after_a_failure_is_told(tmp_path):
    @pipeline
    def failing():
        add(one(), fail("boom"))
        with ParallelFor([1, 2]) as item:
            add(item, 1)

    told = []

    class Listener:
        def emit(self, event):
            if isinstance(event, TaskSkipped):
                told.append((event.task, event.status, event.reason))

    settings = LocalSettings(home=tmp_path / "home", debug=True)
    with pytest.raises(ValueError, match="boom"):
        run_plan(failing.plan(), {}, settings=settings, reporter=Listener())

    why = ("not run", "fail failed")
    assert sorted(told) == [("add", *why), ("add-2[0]", *why), ("add-2[1]", *why)]


def test_a_result_that_cannot_be_used_is_told(debug):
    @step
    def two() -> tuple[int, int]:
        return (1, 2, 3)

    @pipeline
    def unpacking():
        left, _right = two()
        return left

    with pytest.raises(StepError, match="two failed: ValueError"):
        debug(unpacking)


def test_env_is_set_around_the_step(debug):
    @step(env={"MODE": "fast"})
    def read():
        return os.environ.get("MODE")

    @pipeline
    def reading():
        return read()

    assert debug(reading).value == "fast"
    assert "MODE" not in os.environ


def test_a_pipeline_called_in_a_step_is_a_plain_function(debug):
    @pipeline
    def inner(n=2):
        return add(n, one())

    @step
    def calls():
        return inner(4)

    @pipeline
    def outer():
        return calls()

    assert debug(outer).value == 5
