"""What a step finds of kalelite's pipeline side in a bundle: decorators that leave functions alone.

A local module that holds steps imports ``step`` and ``pipeline`` when a step of it is loaded. In a
pod nothing is planned, so there the modules of the planning side are this one.
"""

from __future__ import annotations

from typing import Any


class StandIn:
    """Takes any use that a module makes of kalelite's names while it is imported."""

    def __init__(self, function: Any = None) -> None:
        if function is not None:
            self.__wrapped__ = function

    def __call__(self, *args: Any, **options: Any) -> Any:
        function = self.__dict__.get("__wrapped__")
        if function is not None:
            return function(*args, **options)
        if len(args) == 1 and not options and callable(args[0]):
            return type(self)(args[0])
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: self

    def __getitem__(self, _: Any) -> StandIn:
        return self

    def __or__(self, _: Any) -> StandIn:
        return self

    __ror__ = __or__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return StandIn()
