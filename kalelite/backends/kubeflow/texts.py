"""The user's texts on their way into a Workflow, in which two braces begin a template of Argo."""

from __future__ import annotations

import keyword
import re

from kalelite.plan.names import slug

__all__ = ["has_template", "identifier", "prose", "summary"]

_SUMMARY = 200
"""Characters of a docstring that travel for each step: all of them count in a Workflow's size."""


def has_template(text: str) -> bool:
    """Whether Argo or KFP would read something into a text."""
    return "{{" in text


def prose(text: str) -> str:
    """A text that only people read, with a space between braces, and without control characters."""
    while "{{" in text:
        text = text.replace("{{", "{ {")
    return "".join(char for char in text if char in "\n\t" or char.isprintable())


def summary(docstring: str) -> str:
    """The first paragraph of a docstring, as one line."""
    line = " ".join(prose(docstring).strip().partition("\n\n")[0].split())
    return line if len(line) <= _SUMMARY else f"{line[: _SUMMARY - 1]}…"


def identifier(text: str) -> str:
    """A name of a KFP parameter: a Python identifier in ASCII."""
    name = text if text.isascii() else slug(text)
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit() or keyword.iskeyword(name) or name in _RESERVED:
        name = f"v_{name}"
    return name


_RESERVED = frozenset({"Output", "base_image", "self"})
"""Names of kfp's own."""
