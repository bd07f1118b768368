"""Binding the arguments of a call to a step's parameters, fast for the calls that are usual."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from kalelite.plan.suggest import did_you_mean


class Binder:
    """Does what `inspect.Signature.bind` does; 10,000 calls in a body are no rarity."""

    def __init__(self, signature: inspect.Signature) -> None:
        self.signature = signature
        parameters = signature.parameters.values()
        plain = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        self._plain = all(parameter.kind in plain for parameter in parameters)
        self._names = {parameter.name for parameter in parameters}
        self._positional = [
            p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        self._required = {p.name for p in parameters if p.default is p.empty}

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by parameter name; those left at their default are absent.

        Raises `TypeError` if the call does not fit the signature.
        """
        if self._plain and len(args) <= len(self._positional):
            bound = dict(zip(self._positional, args, strict=False))
            if not kwargs.keys() & bound.keys() and kwargs.keys() <= self._names:
                bound.update(kwargs)
                if bound.keys() >= self._required:
                    return bound
        return dict(self.signature.bind(*args, **kwargs).arguments)


def misfit(
    signature: inspect.Signature, kwargs: Mapping[str, Any], error: TypeError
) -> tuple[str, str]:
    """What is wrong with a call that does not fit, and which name was probably meant.

    A name that is no parameter comes first: it mostly explains the one that is missing.
    """
    parameters = signature.parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in kwargs:
            if name not in parameters:
                return f"it has no parameter `{name}`", did_you_mean(name, parameters)
    return str(error), ""
