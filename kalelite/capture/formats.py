"""Formats that a script registers for classes that its steps import.

Classes that travel by value bring theirs along.
"""

from __future__ import annotations

from kalelite.capture.gather import Gatherer
from kalelite.capture.load import Name
from kalelite.capture.namespaces import importable
from kalelite.capture.pickled import Pickled
from kalelite.frozen import frozen
from kalelite.marshal.registry import user_formats


@frozen
class RegisteredFormat:
    """The functions that save and load instances of a class, captured."""

    cls: Name
    subclasses: bool
    functions: Pickled


def registered_formats(gatherer: Gatherer) -> list[RegisteredFormat]:
    """What was registered so far, by class. Problems are collected in the gatherer."""
    found = []
    for given in user_formats():
        name = importable(given.cls)
        if name is not None:
            what = f"what is registered for {'.'.join(name)}"
            functions = gatherer.root((given.save, given.load), what, None)
            if functions is not None:
                found.append(RegisteredFormat(name, given.subclasses, functions))
    return sorted(found, key=lambda one: one.cls)
