"""A run as it goes on: what becomes of a schedule's decisions, and of failed attempts."""

from pathlib import Path

import pytest

from kalelite.authoring.control import If, ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.events import LoopStarted, Note, TaskFinished, TaskRetried, TaskSkipped
from kalelite.engine.progress import Progress, retry_delay
from kalelite.engine.schedule import Schedule
from kalelite.executor.spec import FailureReport, Record
from kalelite.plan.options import StepOptions
from kalelite.plan.options.values import Retries

LOG = Path("log.txt")


@step
def number() -> int:
    return 1


@step
def use(value: int = 0) -> int:
    return value


def begun(body):
    """The progress of a body's run that has begun, and the list that its events go to."""
    plan, events = pipeline(body).plan(), []
    progress = Progress(plan, Schedule(plan, {}), events.append)
    progress.start()
    return progress, events


def taken(progress):
    found = []
    while (entry := progress.take()) is not None:
        found.append(entry)
    return [(ready.instance.name, attempt) for ready, attempt in found], found


def succeeded(name, value):
    return Record(name, "succeeded", outputs={"output": {"ref": "r", "native": value}})


def failed(name, attempt=1):
    return Record(name, "failed", attempt, failure=FailureReport("ValueError", "boom"))


def test_what_is_ready_comes_in_the_order_of_the_calls():
    def body():
        with ParallelFor([1, 2]) as item:
            use(item)
        number()

    progress, events = begun(body)

    assert taken(progress)[0] == [("use[0]", 1), ("use[1]", 1), ("number", 1)]
    assert [(event.loop, event.count) for event in events] == [("for", 2)]
    assert isinstance(events[0], LoopStarted)


def test_the_end_of_a_task_makes_others_ready_or_rules_them_out():
    def body():
        with If(number() > 1):
            use()
        use(number())

    progress, events = begun(body)
    one, two = (ready for ready, _ in taken(progress)[1])
    progress.finish(one, succeeded("number", 1), LOG)
    progress.finish(two, failed("number-2"), LOG)

    assert progress.schedule.done
    assert progress.schedule.state == "failed"
    assert set(progress.records) == {"number", "number-2"}
    skipped = {event.task: event.status for event in events if isinstance(event, TaskSkipped)}
    assert skipped == {"use": "skipped", "use-2": "not run"}
    assert sum(isinstance(event, TaskFinished) for event in events) == 2


def test_a_condition_that_cannot_be_computed_is_noted():
    def body():
        with If(number() > 1):
            use()

    progress, events = begun(body)
    ((ready, _),) = taken(progress)[1]
    progress.finish(ready, succeeded("number", "text"), LOG)

    (note,) = (event for event in events if isinstance(event, Note))
    assert note.text == "if: a condition cannot compare str > int"
    assert progress.schedule.state == "failed"


def test_what_is_cancelled_does_not_start():
    def body():
        use(number())
        number()

    progress, events = begun(body)
    ready, _ = progress.take()
    progress.interrupt("the run was interrupted", [ready])

    assert progress.take() is None
    assert progress.schedule.state == "interrupted"
    skipped = [event.task for event in events if isinstance(event, TaskSkipped)]
    assert sorted(skipped) == ["number", "number-2", "use"]


def test_an_attempt_that_is_repeated_is_announced():
    def body():
        number.options(retries=Retries(1, wait=2.0))()

    progress, events = begun(body)
    ready, attempt = progress.take()

    assert attempt == 1
    assert progress.retry(ready, failed("number"), LOG) == 2.0
    assert progress.retry(ready, failed("number", attempt=2), LOG) is None
    assert progress.retry(ready, succeeded("number", 1), LOG) is None
    assert [(event.attempt, event.wait) for event in events] == [(1, 2.0)]
    assert isinstance(events[0], TaskRetried)


@pytest.mark.parametrize(
    ("retries", "attempt", "type", "expected"),
    [
        (None, 1, "ValueError", None),
        (Retries(2, wait=1.0, factor=3.0), 1, "ValueError", 1.0),
        (Retries(2, wait=1.0, factor=3.0), 2, "ValueError", 3.0),
        (Retries(2, wait=1.0, factor=3.0), 3, "ValueError", None),
        (Retries(9, wait=1.0, factor=10.0, max_wait=5.0), 4, "ValueError", 5.0),
        (Retries(1, only=("OSError",)), 1, "ConnectionError", 0.0),
        (Retries(1, only=("OSError",)), 1, "ValueError", None),
        (Retries(1, only=("TimeoutError",)), 1, "TimeoutError", 0.0),
    ],
)
def test_when_a_failed_attempt_is_tried_again(retries, attempt, type, expected):
    options = StepOptions(retries=retries)

    assert retry_delay(options, attempt, FailureReport(type, "")) == expected
