"""How a run in a cell looks: while it goes on, and when it is over."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape

from kalelite.display.run_progress import RunProgress, Status, TaskProgress
from kalelite.display.screen import Screen
from kalelite.display.summary import print_summary
from kalelite.humanize import count, duration
from kalelite.runs.html import run_html
from kalelite.runs.pipeline_run import Run
from kalelite.runs.steps_html import (
    DIM,
    FONT,
    StepLine,
    bar,
    grouped,
    head_html,
    last_line,
    part_of,
    steps_html,
)

Bundle = Mapping[str, str]
"""Texts by MIME type: HTML, and plain text where that is not shown."""


def progress_bundle(
    run: RunProgress, items: Mapping[str, int], notes: Sequence[str], now: float
) -> Bundle:
    """A run that goes on. ``items`` are how many items the steps in loops will have."""
    counts = run.counts()
    done = counts.get(Status.SUCCEEDED, 0) + counts.get(Status.CACHED, 0)
    about = f"{done} of {count(run.total, 'step')} · {duration(now - run.started)}"
    lines = _lines(run, items)
    below = "".join(f"<div style='{DIM}'>{escape(text)}</div>" for text in notes)
    html = (
        f"<div style='{FONT}'>{head_html(run.plan.name, 'running', about)}"
        f"{bar(done / max(run.total, 1), 'succeeded', '100%')}"
        f"<div style='margin-top:6px'>{steps_html(lines, now)}</div>{below}</div>"
    )
    text = [f"{run.plan.name}: running, {about}", *(_text(line, now) for line in lines)]
    return {"text/html": html, "text/plain": "\n".join([*text, *notes])}


def report_bundle(run: RunProgress) -> Bundle:
    """A run that is over, with its picture and all that it gave."""
    text = io.StringIO()
    print_summary(run, Screen(text, {}))
    bundle = {"text/plain": text.getvalue().strip()}
    if run.folder.exists():  # else it has been deleted meanwhile
        bundle["text/html"] = run_html(Run.open(run.run, folder=run.folder.parent.parent))
    return bundle


def _lines(run: RunProgress, items: Mapping[str, int]) -> list[StepLine]:
    return grouped([_line(row) for row in run.in_order()], items)


def _line(row: TaskProgress) -> StepLine:
    note, part = row.note, None
    if row.status is Status.RUNNING:
        printed = last_line(row.log)
        note, part = note or printed, part_of(printed)
    label = "retrying" if row.status is Status.RETRYING else row.status.label
    started, finished = row.started, row.finished
    if row.status is Status.SUCCEEDED and row.record is not None and row.record.started:
        started, finished = row.record.started, row.record.finished  # as the report has them
    return StepLine(row.task, label, started, finished, note, part)


def _text(line: StepLine, now: float) -> str:
    said = line.counts or ("" if line.part is None else f"{line.part:.0%}")
    indent = "    " if line.inside else "  "
    return f"{indent}{line.name:<20} {line.state:<10} {line.took(now):>8}  {said}  {line.note}".rstrip()
