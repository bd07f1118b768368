"""Notebooks: how pipelines and runs display themselves."""

from __future__ import annotations

from kalelite.notebook.display import plan_html, plan_mimebundle, plan_text, run_html

__all__ = ["plan_html", "plan_mimebundle", "plan_text", "run_html"]
