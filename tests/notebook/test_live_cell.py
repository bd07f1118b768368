"""A run in a cell: one display, changed in place, that holds all in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalelite import Collected, ParallelFor, pipeline, step
from kalelite.authoring.events import (
    LoopStarted,
    Note,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
)
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.executor.spec import Record
from kalelite.notebook.live_cell import LiveCell
from kalelite.runs.writing import create


@step
def load(n):
    print("loaded", n)
    return list(range(n))


@step
def fit(item, depth):
    return item * depth


@step
def fail(scores):
    print("before the fall")
    raise ValueError(f"<b>{len(scores)}</b> scores")


@pipeline
def study(n: int = 3, items: list = [1, 2]):
    rows = load(n)
    with ParallelFor(items) as depth:
        scored = fit(rows[0], depth)
    return fail(Collected(scored))


class Screen:
    """What a front end shows."""

    def __init__(self):
        self.shown = []

    def show(self, bundle):
        self.shown.append(bundle)
        return self

    def update(self, data, *, raw):
        assert raw
        self.shown.append(data)

    @property
    def html(self):
        return self.shown[-1]["text/html"]

    @property
    def text(self):
        return self.shown[-1]["text/plain"]


class Begun:
    """A run of `study` that goes on as the test says."""

    def __init__(self, home):
        self.screen = Screen()
        self.clock = 100.0
        self.cell = LiveCell(self.screen.show, lambda: self.clock)
        self.record = create(study.plan(), {"n": 3}, folder=home, backend="local")
        self.tell(RunStarted(self.record.id, study.plan(), self.record.folder, 2, at=100.0))

    def tell(self, *events):
        for event in events:
            self.cell.emit(event)

    def log(self, task, text):
        path: Path = self.record.task(task) / "log.txt"
        path.write_text(text)
        return path

    def draw(self):
        self.cell.draw()
        return self.screen


@pytest.fixture
def begun(tmp_path):
    run = Begun(tmp_path)
    yield run
    run.tell(RunFinished(run.record.id, "succeeded", 1.0))  # else its thread goes on


def test_it_is_there_before_a_step_begins(begun):
    assert len(begun.screen.shown) == 1
    assert "study: running, 0 of 2 steps" in begun.screen.text
    assert "load" in begun.screen.html


def test_a_running_step_shows_its_clock_its_last_line_and_its_progress(begun):
    begun.tell(TaskStarted("load", 1, at=101.0))
    begun.log("load", "epoch 3/12 loss 0.1\n")
    begun.clock = 103.5
    screen = begun.draw()

    assert "2.50 s" in screen.html
    assert ">epoch 3/12 loss 0.1<" in screen.html
    assert "width:25%" in screen.html
    assert "25%  epoch 3/12 loss 0.1" in screen.text


def test_a_step_that_is_over_has_the_time_that_its_record_has(begun):
    begun.tell(TaskStarted("load", 1, at=101.0))
    record = Record("load", "succeeded", started=108.0, finished=108.25)
    begun.tell(TaskFinished(record, begun.log("load", ""), at=108.3))

    assert "0.25 s" in begun.draw().text


def test_the_items_of_a_loop_stand_together(begun):
    begun.tell(LoopStarted(study.plan().blocks[0].id, 300))
    begun.tell(*(TaskStarted(f"fit[{n}]", 1, at=101.0) for n in range(20)))
    for n in range(12):
        log = begun.log(f"fit[{n}]", "")
        begun.tell(TaskFinished(Record(f"fit[{n}]", "succeeded", finished=102.0), log, at=102.0))
    screen = begun.draw()

    assert "12 of 300" in screen.html
    assert "fit[12]" in screen.html
    assert "fit[3]" not in screen.html


def test_notes_are_shown_below(begun):
    begun.tell(Note("mind the <gap>"))

    assert "mind the &lt;gap&gt;" in begun.draw().html
    assert "mind the <gap>" in begun.screen.text


def test_nothing_is_drawn_after_the_end(begun):
    begun.tell(RunFinished(begun.record.id, "succeeded", 1.0))
    shown = len(begun.screen.shown)
    begun.cell.draw()

    assert len(begun.screen.shown) == shown


def test_a_run_leaves_its_picture_its_values_and_what_failed(tmp_path):
    screen = Screen()
    backend = LocalBackend(LocalSettings(home=tmp_path))
    backend.run(study.plan(), {"n": 3, "items": [1, 2]}, LiveCell(screen.show))
    html = screen.html

    assert "data:image/svg+xml;base64," in html
    assert "✗ failed" in html
    assert "<b>fail</b>: ValueError: &lt;b&gt;2&lt;/b&gt; scores" in html
    assert "before the fall" in html
    assert "raise ValueError" in html
    assert "[0, 1, 2]" in html
    assert "kalelite.runs.Run.open" in html
    assert "✗ study failed" in screen.text
    assert "ValueError" in screen.text


def test_what_is_shown_needs_no_script_and_no_widget(tmp_path):
    screen = Screen()
    LocalBackend(LocalSettings(home=tmp_path)).run(
        study.plan(), {"n": 3, "items": [1]}, LiveCell(screen.show)
    )

    for bundle in screen.shown:
        assert set(bundle) == {"text/html", "text/plain"}
        assert "<script" not in bundle["text/html"]
        assert "<style" not in bundle["text/html"]
        assert " on" not in bundle["text/html"].replace(" one", "").split("<pre")[0]


def test_a_record_that_was_deleted_meanwhile_does_no_harm(begun):
    import shutil

    shutil.rmtree(begun.record.folder)
    begun.tell(RunFinished(begun.record.id, "failed", 1.0))

    assert "study failed" in begun.screen.text
