"""`setup`: a function that every process of the script's steps runs when it starts.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[[], object])

_functions: dict[tuple[str, str], Callable[[], object]] = {}


def setup(function: Function) -> Function:
    """Run a function now, and at the start of the process of each step, here and in pods.

    It is for what the script does to its process and no step would find, such as a connection
    that is opened or a library that is told something.

    Parameters
    ----------
    function
        It takes no arguments; what it returns is dropped, what it raises ends the step.
    """
    _functions[function.__module__, function.__qualname__] = function
    function()
    return function


def registered() -> list[Callable[[], object]]:
    """The functions so far, in order."""
    return list(_functions.values())


def run_missing(functions: Iterable[Callable[[], object]]) -> None:
    """Run those that no import has run in this process."""
    for function in functions:
        if (function.__module__, function.__qualname__) not in _functions:
            setup(function)
