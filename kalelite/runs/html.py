"""A run as a notebook shows it: pure functions from data to HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from kalelite.executor.spec import FailureReport
from kalelite.picture.mimebundle import DIM, RED, table
from kalelite.runs.artifacts_html import artifacts_html

if TYPE_CHECKING:
    from kalelite.runs.reading import Run


def run_html(run: Run) -> str:
    """A run: what each task did, how long it took, what it gave and logged, and what failed."""
    rows: list[tuple[str, ...]] = []
    failures: list[str] = []
    for name, task in run.tasks.items():
        seconds = "" if task.seconds is None else f"{task.seconds:.2f} s"
        values, metrics = task.reason, ""
        if task.record is not None:
            outputs = task.record.outputs.items()
            values = ", ".join(f"{output} = {_preview(entry)}" for output, entry in outputs)
            metrics = ", ".join(f"{one['name']} = {one['value']}" for one in task.record.metrics)
            if task.record.failure is not None:
                failures.append(_failure(name, task.record.failure))
        rows.append((name, task.status, seconds, values, metrics))
    heads = ("task", "state", "time", "values", "metrics" if any(row[4] for row in rows) else "")
    state = f"{run.state} in {run.seconds:.2f} s"
    return (
        f"<div><h4 style='margin:4px 0'>{escape(run.pipeline)} <span style='{DIM}'>{escape(state)}"
        f"</span></h4>{table(heads, rows)}{artifacts_html(run.artifacts)}{''.join(failures)}"
        f"<p style='{DIM};margin:4px 0'>run {escape(run.id)}</p></div>"
    )


def _failure(name: str, failure: FailureReport) -> str:
    text = failure.traceback or f"{failure.type}: {failure.message}"
    return (
        f"<details><summary style='{RED}'>{escape(name)}: {escape(failure.message[:200])}"
        f"</summary><pre>{escape(text)}</pre></details>"
    )


def _preview(output: Mapping[str, Any]) -> str:
    return str(output.get("preview") or output.get("type", ""))
