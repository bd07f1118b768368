"""Pictures of a plan: text for a terminal, mermaid, SVG, and a page of HTML.

All of them draw broken plans, too, and mark what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

from kalelite.errors import Problem
from kalelite.picture import mermaid, page, svg, text
from kalelite.picture.diagram import diagram_of
from kalelite.plan.graph import Plan

__all__ = ["to_html", "to_mermaid", "to_svg", "to_text"]


def to_text(plan: Plan, problems: Iterable[Problem] = (), *, width: int = 100) -> str:
    """The plan as a tree of lines, none longer than ``width`` columns."""
    return text.draw(diagram_of(plan, problems), width)


def to_mermaid(plan: Plan, problems: Iterable[Problem] = ()) -> str:
    """The plan as a mermaid flowchart."""
    return mermaid.draw(diagram_of(plan, problems))


def to_svg(plan: Plan, problems: Iterable[Problem] = (), *, header: bool = True) -> str:
    """The plan as one SVG document, which follows the viewer's light or dark mode.

    ``header`` writes the name, the description, the parameters and the problems into it.
    """
    return svg.draw(diagram_of(plan, problems), header=header)


def to_html(plan: Plan, problems: Iterable[Problem] = ()) -> str:
    """The plan as one page that loads nothing: the picture to move in, and a table of all steps."""
    return page.draw(diagram_of(plan, problems))
