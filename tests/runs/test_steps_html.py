"""The table of a run's steps: what a line shows, and how the items of a loop stand together."""

from __future__ import annotations

import pytest

from kalelite.runs.steps_html import (
    StepLine,
    grouped,
    last_line,
    part_of,
    steps_html,
)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (" 45%|####      | 45/100 [00:01<00:01, 40it/s]", 0.45),
        ("Epoch 3/12 loss 0.2", 0.25),
        ("epoch 3 / 12", 0.25),
        ("250% of it", 1.0),
        ("loss 0.25", None),
        ("written to data/3/4/out.csv", None),
        ("2026/11/28", None),
        ("9/3", None),
        ("", None),
    ],
)
def test_how_much_is_done_is_read_from_what_a_step_prints(line, part):
    assert part_of(line) == part


def test_the_last_line_is_what_a_person_would_see_of_it(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("first\n\x1b[31m 10%|#\r 20%|##\x1b[0m\n\n")

    assert last_line(log) == "20%|##"
    assert last_line(tmp_path / "none") == ""
    assert last_line(None) == ""


def items(*states):
    return [StepLine(f"fit[{n}]", state, 1.0, 2.0) for n, state in enumerate(states)]


def test_a_short_loop_is_shown_whole():
    lines = grouped([StepLine("load", "succeeded"), *items("succeeded", "running")])

    assert [line.name for line in lines] == ["load", "fit", "fit[0]", "fit[1]"]
    assert (lines[1].state, lines[1].counts, lines[1].part) == ("running", "1 of 2", 0.5)


def test_of_a_long_loop_what_runs_and_what_failed_is_shown():
    states = ["succeeded"] * 200 + ["running", "failed"]
    lines = grouped(items(*states), {"fit": 300})

    assert [line.name for line in lines] == ["fit", "fit[200]", "fit[201]"]
    assert (lines[0].state, lines[0].counts) == ("failed", "201 of 300")
    assert lines[0].finished == 0.0


def test_a_loop_whose_items_failed_by_the_hundred_stays_short():
    lines = grouped(items(*["failed"] * 300))

    assert len(lines) < 12
    assert lines[-1].name == "… 292 more items"


def test_a_loop_that_is_done_has_ended_when_its_last_item_has():
    lines = grouped(items("succeeded", "cached"))

    assert (lines[0].state, lines[0].finished) == ("succeeded", 2.0)


def test_the_table_holds_no_markup_of_others():
    html = steps_html([StepLine("<b>", "failed", note="<script>'\"")], 3.0)

    assert "<b>" not in html
    assert "<script>" not in html
    assert "&lt;script&gt;&#x27;&quot;" in html


def test_the_clock_of_a_running_step_goes_on():
    assert "7.50 s" in steps_html([StepLine("fit", "running", started=1.0)], 8.5)
