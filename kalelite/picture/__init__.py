"""Pictures of a plan: text for a terminal, mermaid, SVG, and a page of HTML.

All of them draw broken plans, too, and mark what is wrong.
"""

from kalelite.picture.mermaid import to_mermaid
from kalelite.picture.page import to_html
from kalelite.picture.svg import to_svg
from kalelite.picture.text import to_text

__all__ = ["to_html", "to_mermaid", "to_svg", "to_text"]
