"""Pictures of a plan: text for a terminal, mermaid, SVG, and a page of HTML.

All of them draw broken plans, too, and mark what is wrong. Each is a module of its own: a run
keeps its diagram, and is not to wait for the others.
"""
