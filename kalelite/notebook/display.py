"""How a pipeline and a run look in a notebook: pure functions from data to HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from kalelite.errors import Problem
from kalelite.executor.spec import FailureReport
from kalelite.notebook.artifacts import artifacts_html
from kalelite.plan.graph import REQUIRED, Parameter, Plan

if TYPE_CHECKING:
    from kalelite.runs import Run

__all__ = ["plan_html", "plan_mimebundle", "plan_text", "run_html"]

_RED = "color:#b3261e"
_DIM = "opacity:.65"
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


def plan_html(plan: Plan, problems: Sequence[Problem] = ()) -> str:
    """A pipeline: its name, what it says of itself, parameters, problems and picture."""
    from kalelite.plan.picture import to_svg

    parts = [f"<h4 style='margin:4px 0'>{escape(plan.name)}</h4>"]
    if plan.description:
        parts.append(f"<p style='{_DIM};margin:4px 0'>{escape(plan.description)}</p>")
    if plan.parameters:
        rows = [(p.name, _type(p), _default(p), p.description) for p in plan.parameters]
        parts.append(_table(("parameter", "type", "default", ""), rows))
    parts += [
        f"<pre style='{_RED};margin:4px 0'>{escape(problem.render())}</pre>" for problem in problems
    ]
    parts.append(to_svg(plan, tuple(problems), header=False))
    return f"<div>{''.join(parts)}</div>"


def plan_text(plan: Plan, problems: Sequence[Problem] = ()) -> str:
    """The same for front ends without HTML."""
    from kalelite.plan.picture import to_text

    return "\n\n".join([to_text(plan, tuple(problems)), *(p.render() for p in problems)])


def plan_mimebundle(plan: Plan, problems: Sequence[Problem] = ()) -> dict[str, str]:
    """Both, as IPython asks for them."""
    return {
        "text/plain": plan_text(plan, problems),
        "text/html": plan_html(plan, problems),
    }


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
        f"<div><h4 style='margin:4px 0'>{escape(run.pipeline)} <span style='{_DIM}'>{escape(state)}"
        f"</span></h4>{_table(heads, rows)}{artifacts_html(run.artifacts)}{''.join(failures)}"
        f"<p style='{_DIM};margin:4px 0'>run {escape(run.id)}</p></div>"
    )


def _failure(name: str, failure: FailureReport) -> str:
    text = failure.traceback or f"{failure.type}: {failure.message}"
    return (
        f"<details><summary style='{_RED}'>{escape(name)}: {escape(failure.message[:200])}"
        f"</summary><pre>{escape(text)}</pre></details>"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th style='{_CELL};{_DIM}'>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_CELL}'>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _preview(output: Mapping[str, Any]) -> str:
    return str(output.get("preview") or output.get("type", ""))


def _type(parameter: Parameter) -> str:
    kind = parameter.type
    if kind is None:
        return "any"
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _default(parameter: Parameter) -> str:
    return "required" if parameter.default is REQUIRED else repr(parameter.default)
