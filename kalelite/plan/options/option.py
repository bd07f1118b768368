"""One option: how it is written, read, merged and explained.

A class of options declares each of its fields with `option`; `options_of` lists the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields, replace
from typing import Any

from kalelite.frozen import frozen

Parser = Callable[[Any, str], Any]
"""Takes what a user wrote and the option's name; returns the normal form or raises UsageError."""

Merge = Callable[[Any, Any], Any]
"""Joins the value of a general place (the pipeline) with that of one nearer to the call."""

Alias = Callable[[str, Any, dict[str, Any]], "str | None"]
"""Takes the option's name, the value under the other spelling, and the options to put it into.

Returns a hint where the value cannot be taken over, else None.
"""


def nearest(_general: Any, near: Any) -> Any:
    """The value that is nearer to the call, whole."""
    return near


def by_key(general: Mapping[str, str], near: Mapping[str, str]) -> dict[str, str]:
    """Both mappings; the nearer one wins key by key."""
    return {**general, **near}


def by_target(general: Iterable[Any], near: Iterable[Any]) -> tuple[Any, ...]:
    """The entries of both; the nearer one wins for each variable or path in the step."""
    entries = (*general, *near)
    targets = {getattr(entry, "variable", None) or entry.path: entry for entry in entries}
    return tuple(targets.values())


@frozen
class Option:
    """The declaration of one option.

    Attributes
    ----------
    name
        What users write.
    help
        What the option means, as a phrase in Markdown that is true of every backend.
    example
        Python code of a value.
    parse
        Brings a user's value to its normal form.
    merge
        Joins the values of two places.
    aliases
        Other spellings that mean the same (those of Kale and KFP).
    near
        Names that people write who come from elsewhere and that are only suggested.
    container
        Why container steps do not have the option, empty if they have it.
    badge
        A value in a few characters, for pictures; None or an empty text is not shown.
    """

    name: str
    help: str
    example: str
    parse: Parser
    merge: Merge = nearest
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    near: tuple[str, ...] = ()
    container: str = ""
    badge: Callable[[Any], str] | None = None


def option(help: str, example: str, parse: Parser, *, default: Any = None, **more: Any) -> Any:
    """The field of a dataclass that is an option; ``more`` are fields of `Option`."""
    metadata = {"option": Option("", help, example, parse, **more)}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(owner: type[Any]) -> tuple[Option, ...]:
    """The options that a dataclass declares, in order."""
    return tuple(replace(each.metadata["option"], name=each.name) for each in fields(owner))
