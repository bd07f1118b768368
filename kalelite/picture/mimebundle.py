"""A pipeline as a notebook shows it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from kalelite.errors import Problem
from kalelite.picture.any_ground import ON_ANY_GROUND
from kalelite.picture.card_states import CardState
from kalelite.picture.diagram import Diagram, diagram_of
from kalelite.picture.svg import NO_STATES, svg_of
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
    parts.append(picture_html(diagram_of(plan, problems)))
    return f"<div>{''.join(parts)}</div>"


def picture_html(diagram: Diagram, states: Mapping[str, CardState] = NO_STATES) -> str:
    """A diagram as an image, which also stays where a notebook is shown without its SVG.

    ``states`` are those of a run's tasks.
    """
    svg = svg_of(diagram, states=states, style=ON_ANY_GROUND)
    encoded = base64.b64encode(svg.encode()).decode()
    name = escape(f"pipeline {diagram.name}")
    return f"<img alt='{name}' style='max-width:100%' src='data:image/svg+xml;base64,{encoded}'>"


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
    head = f"<thead><tr style='background:none'>{head}</tr></thead>" if any(heads) else ""
    body = "".join(
        "<tr style='background:none'>"
        + "".join(f"<td style='{_CELL}'>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table style='margin:0'>{head}<tbody>{body}</tbody></table>"


def _type(kind: Any) -> str:
    return "any" if kind is None else spell(kind)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.default is REQUIRED else repr(parameter.default)
