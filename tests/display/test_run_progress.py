"""What is known of a run while it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from face_runs import plan, run_of_everything

from kalelite.authoring.events import LoopStarted, RunStarted, TaskFinished, TaskStarted
from kalelite.display.run_progress import RunProgress, Status
from kalelite.executor.spec import Record
from kalelite.plan.graph import Loop, Plan, Task


def progress_after(events):
    first, *rest = events
    run = RunProgress(first)
    for event in rest:
        run.apply(event)
    return run


def test_every_state_of_a_run_is_told_apart(tmp_path):
    run = progress_after(run_of_everything(tmp_path))

    assert {row.task: row.status for row in run.in_order()} == {
        "load": Status.SUCCEEDED,
        "split": Status.SUCCEEDED,
        "train": Status.FAILED,
        "score": Status.NOT_RUN,
        "report": Status.NOT_RUN,
        "plot": Status.SKIPPED,
    }
    assert run.rows["train"].seconds(0) == 12.0
    assert (run.state, run.seconds) == ("failed", 13.6)


def test_a_result_of_an_earlier_run_is_shown_as_such():
    run = RunProgress(RunStarted("r", plan("load"), Path(), 2, at=0.0))
    record = Record("load", "succeeded", cached="20261122-052912-994fa49")
    row = run.apply(TaskFinished(record, Path(), at=1.0))

    assert row.status is Status.CACHED
    assert row.note.startswith("as in run 20261122-052912-994fa49, since ")
    assert run.counts() == {Status.CACHED: 1}


def test_a_step_in_a_loop_has_a_row_for_each_item_in_the_plan_s_place():
    inner = Task("train", plan("x").tasks[0].step, {}, (), parent="loop")
    whole = plan("load", "report")
    looped = Plan("p", tasks=(whole.tasks[0], inner, whole.tasks[1]), blocks=(Loop("loop"),))
    run = RunProgress(RunStarted("r", looped, Path(), 2, at=0.0))

    assert list(run.rows) == ["load", "report"]
    for item in (10, 9, 0):
        run.apply(TaskStarted(f"train[{item}]", 1, at=1.0))

    assert [row.task for row in run.in_order()] == [
        "load", "train[0]", "train[9]", "train[10]", "report",
    ]  # fmt: skip


def progress_of(size, running, failed, done):
    names = [f"t{number:03d}" for number in range(size)]
    run = RunProgress(RunStarted("r", plan(*names), Path(), 2, at=0.0))
    for position, name in enumerate(names[: failed + done + running]):
        run.apply(TaskStarted(name, 1, at=float(position)))
        if position < failed:
            record = Record(name, "failed")
            run.apply(TaskFinished(record, Path(), at=position + 1.0))
        elif position < failed + done:
            run.apply(TaskFinished(Record(name, "succeeded"), Path(), at=position + 1.0))
    return run


@pytest.mark.parametrize("height", [1, 2, 5, 10, 17, 100, 500])
@pytest.mark.parametrize(
    "numbers", [(300, 3, 2, 100), (300, 0, 0, 0), (300, 2, 0, 298), (4, 1, 1, 1)]
)
def test_a_window_is_full_and_shows_what_runs(height, numbers):
    run = progress_of(*numbers)

    window = run.window(height)

    assert len(window.rows) == min(height, numbers[0])
    assert len(window.rows) + sum(window.hidden.values()) == numbers[0]
    shown = sum(row.status is Status.RUNNING for row in window.rows)
    assert shown == min(numbers[1], height)
    assert [row.order for row in window.rows] == sorted(row.order for row in window.rows)


def test_a_window_shows_what_ended_last_and_what_comes_next():
    window = progress_of(300, 2, 1, 100).window(9)

    assert [row.task for row in window.rows] == [
        "t000", "t098", "t099", "t100", "t101", "t102", "t103", "t104", "t105",
    ]  # fmt: skip
    assert window.hidden == {Status.SUCCEEDED: 97, Status.WAITING: 194}


def test_items_count_before_they_begin():
    tasks = plan("load", "fit", "cut").tasks
    inside = [
        replace(task, parent=loop) for task, loop in zip(tasks, ("", "outer", "inner"), strict=True)
    ]
    looped = Plan("looped", tasks=tuple(inside), blocks=(Loop("outer"), Loop("inner", "outer")))
    run = RunProgress(RunStarted("r", looped, Path(), 2, at=0.0))
    run.apply(LoopStarted("outer", 10, at=0.0))
    run.apply(LoopStarted("inner[3]", 4, at=0.0))

    assert run.total == 1 + 10 + 4
    assert run.window(5).hidden == {Status.WAITING: 14}
