"""What a backend does with an option: it honours, notes or refuses it, and says so of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from kalelite.frozen import frozen
from kalelite.plan.options.option import Option


@frozen
class Handled:
    """The backend honours the option.

    ``how`` completes the option's help for this backend and is empty where that says it all;
    ``except_for`` names what is refused of it. Both are phrases in Markdown.
    """

    how: str = ""
    except_for: str = ""


@frozen
class Noted:
    """The option has no effect in the backend, which names it once where it is used.

    ``instead`` is a phrase that says what happens, empty if that is nothing at all.
    """

    instead: str = ""


@frozen
class Refused:
    """The backend cannot do it and refuses before anything is created.

    ``reason`` is a phrase, ``hint`` the sentence that tells the user what to write instead.
    """

    reason: str
    hint: str


T = TypeVar("T")


def treatments(options: Iterable[Option], given: Mapping[str, T]) -> Mapping[str, T]:
    """``given``, which holds one treatment for each of the options; raises `TypeError` if it does not."""
    names = {option.name for option in options}
    if names != given.keys():
        missing, unknown = sorted(names - given.keys()), sorted(given.keys() - names)
        raise TypeError(f"options without a treatment: {missing}; unknown options: {unknown}")
    return given
