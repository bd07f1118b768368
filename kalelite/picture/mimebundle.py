"""A pipeline as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from kalelite.errors import Problem
from kalelite.picture.svg import to_svg
from kalelite.picture.text import to_text
from kalelite.plan.graph import REQUIRED, Parameter, Plan
from kalelite.plan.types.hints import spell

RED = "color:#b3261e"
DIM = "opacity:.65"
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


def plan_html(plan: Plan, problems: Sequence[Problem] = ()) -> str:
    """A pipeline: its name, description, parameters, problems and picture."""
    parts = [f"<h4 style='margin:4px 0'>{escape(plan.name)}</h4>"]
    if plan.description:
        parts.append(f"<p style='{DIM};margin:4px 0'>{escape(plan.description)}</p>")
    if plan.parameters:
        rows = [(p.name, _type(p.type), _default(p), p.description) for p in plan.parameters]
        parts.append(table(("parameter", "type", "default", ""), rows))
    parts += [
        f"<pre style='{RED};margin:4px 0'>{escape(problem.render())}</pre>" for problem in problems
    ]
    parts.append(to_svg(plan, tuple(problems), header=False))
    return f"<div>{''.join(parts)}</div>"


def plan_text(plan: Plan, problems: Sequence[Problem] = ()) -> str:
    """The same for front ends without HTML."""
    return "\n\n".join([to_text(plan, tuple(problems)), *(p.render() for p in problems)])


def plan_mimebundle(plan: Plan, problems: Sequence[Problem] = ()) -> dict[str, str]:
    """Both, as IPython asks for them."""
    return {
        "text/plain": plan_text(plan, problems),
        "text/html": plan_html(plan, problems),
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plain table of HTML; all texts are escaped."""
    head = "".join(f"<th style='{_CELL};{DIM}'>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_CELL}'>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _type(kind: Any) -> str:
    return "any" if kind is None else spell(kind)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.default is REQUIRED else repr(parameter.default)
