"""A run as a notebook shows it: its steps, what they gave, and what went wrong."""

from __future__ import annotations

import time
from html import escape
from itertools import starmap
from typing import TYPE_CHECKING

from kalelite.humanize import count, duration, error_line
from kalelite.runs.artifacts_html import artifacts_html
from kalelite.runs.failure_html import failure_html
from kalelite.runs.logged import artifacts_of, curves_of
from kalelite.runs.run_picture import run_picture
from kalelite.runs.steps_html import DIM, FONT, StepLine, grouped, head_html, last_line, steps_html
from kalelite.runs.values_html import displayed_values, folded, metrics_html, values_html

if TYPE_CHECKING:
    from kalelite.runs.reading import RunRecord
    from kalelite.runs.task_state import TaskState

_FAILURES = 3


def run_html(run: RunRecord) -> str:
    """A run: what each step did, its picture, all that it gave, and what failed."""
    tasks = run.tasks
    lines = [_line(name, task) for name, task in tasks.items()]
    failed = [
        (name, task.record.failure, task.log)
        for name, task in tasks.items()
        if task.record is not None and task.record.failure is not None
    ]
    done = sum(line.state in {"succeeded", "cached"} for line in lines)
    about = f"{done} of {count(len(lines), 'step')} in {duration(run.seconds)}"
    parts = [
        head_html(run.pipeline, run.state, about),
        steps_html(grouped(lines), time.time()),
        *(failure_html(*one) for one in failed[:_FAILURES]),
        folded("graph", run_picture(run, tasks), is_open=True),
        folded("values", values_html(run) + "".join(starmap(folded, displayed_values(run)))),
        folded("metrics", metrics_html(curves_of(tasks)), is_open=True),
        artifacts_html(artifacts_of(tasks)),
    ]
    return f"<div style='{FONT}'>{''.join(parts)}{_foot(run)}</div>"


def _line(name: str, task: TaskState) -> StepLine:
    note = task.reason
    if task.record is not None and task.record.failure is not None:
        note = error_line(task.record.failure.type, task.record.failure.message)
    note = note or ("" if "[" in name else last_line(task.log))
    return StepLine(name, task.status, task.started or 0.0, task.finished or 0.0, note)


def _foot(run: RunRecord) -> str:
    again = ""
    if run.state in {"failed", "interrupted", "crashed"} and run.data.get("backend") == "local":
        again = f" · to go on: <code>kalelite.runs.Run.open('{escape(run.id)}').resume()</code>"
    return f"<div style='{DIM};margin:6px 0 0;font-size:12px'>run {escape(run.id)}{again}</div>"
