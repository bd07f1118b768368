"""Pictures of a plan: text for a terminal, mermaid, SVG, and a page of HTML.

All of them draw broken plans, too, and mark what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

from kalelite.errors import Problem
from kalelite.plan import picture_svg
from kalelite.plan.graph import Plan
from kalelite.plan.scene import scene

__all__ = ["to_svg"]


def to_svg(plan: Plan, problems: Iterable[Problem] = ()) -> str:
    """The plan as one SVG document, which follows the viewer's light or dark mode."""
    return picture_svg.draw(scene(plan, problems))
