"""The user's texts on their way into a Workflow, in which two braces begin a template of Argo."""

from __future__ import annotations

__all__ = ["has_template", "prose"]


def has_template(text: str) -> bool:
    """Whether Argo or KFP would read something into a text."""
    return "{{" in text


def prose(text: str) -> str:
    """A text that only people read, with a space between braces, and without control characters."""
    while "{{" in text:
        text = text.replace("{{", "{ {")
    return "".join(char for char in text if char in "\n\t" or char.isprintable())
