"""The table of options as a part of docstrings."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import TypeVar

from kalelite.plan.options.option import Option

__all__ = ["lists_options"]

F = TypeVar("F", bound=Callable[..., object])


def lists_options(options: Iterable[Option]) -> Callable[[F], F]:
    """A decorator that writes the options and their help where the docstring has ``{options}``."""
    text = "\n".join(
        textwrap.fill(f"``{each.name}={each.example}``: {each.help}", 92, subsequent_indent="    ")
        for each in options
    )

    def write(function: F) -> F:
        if function.__doc__:  # there is none under `python -OO`
            doc = inspect.cleandoc(function.__doc__)
            function.__doc__ = doc.replace("{options}", textwrap.indent(text, "    ").strip())
        return function

    return write
