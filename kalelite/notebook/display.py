"""How a pipeline and a run look in a notebook: pure functions from data to HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from kalelite.errors import Problem
from kalelite.executor.spec import Record
from kalelite.plan.graph import REQUIRED, Parameter, Plan

__all__ = ["plan_html", "plan_mimebundle", "plan_text", "records_html"]

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
        f"<pre style='{_RED};margin:4px 0'>{escape(problem.render())}</pre>"
        for problem in problems
    ]
    parts.append(to_svg(plan, tuple(problems)))
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


def records_html(title: str, state: str, records: Iterable[Record]) -> str:
    """A run: what each task did, how long it took, what it gave, and what failed."""
    rows: list[tuple[str, ...]] = []
    failures: list[str] = []
    for record in records:
        seconds = max(record.finished - record.started, 0.0)
        values = ", ".join(f"{name} = {_preview(out)}" for name, out in record.outputs.items())
        metrics = ", ".join(f"{metric['name']} = {metric['value']}" for metric in record.metrics)
        rows.append((record.task, record.status, f"{seconds:.2f} s", values, metrics))
        if record.failure is not None:
            text = record.failure.traceback or f"{record.failure.type}: {record.failure.message}"
            failures.append(
                f"<details><summary style='{_RED}'>{escape(record.task)}:"
                f" {escape(record.failure.message[:200])}</summary>"
                f"<pre>{escape(text)}</pre></details>"
            )
    heads = ("task", "state", "time", "values", "metrics" if any(row[4] for row in rows) else "")
    return (
        f"<div><h4 style='margin:4px 0'>{escape(title)} <span style='{_DIM}'>{escape(state)}"
        f"</span></h4>{_table(heads, rows)}{''.join(failures)}</div>"
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
