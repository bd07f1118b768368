"""Where a pipeline goes when it is called: the ambient target.

The command line sets a target before it runs the user's script, so that the script's own call
of its pipeline is what gets run, compiled or submitted.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, cast

from kalelite.plan.graph import Parameter, Plan

if TYPE_CHECKING:
    from kalelite.authoring.pipeline import Pipeline

__all__ = ["Target", "ambient_target", "current_target", "fixed_by", "use_target"]


class Target(Protocol):
    """Something that runs pipelines."""

    def run(self, pipeline: Pipeline[..., Any], plan: Plan, arguments: Mapping[str, Any]) -> Any:
        """Run a plan; ``arguments`` holds a converted value for every parameter.

        A target may also have a method ``fixed(parameters)``: the values that it was given
        itself, as by ``-p`` on the command line. They go before those of the call.
        """


current_target: ContextVar[Target | None] = ContextVar("kalelite_target", default=None)

_everywhere: list[Target] = []
"""Targets for threads that have none of their own, the last one counts."""


def ambient_target() -> Target:
    """The target that is set here, else one that runs pipelines on this machine."""
    target = current_target.get() or next(reversed(_everywhere), None)
    if target is None:
        # By name, because a plan knows nothing of backends.
        local = importlib.import_module("kalelite.backends.local")
        target = cast("Target", local.target())
    return target


def fixed_by(target: Target, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """The converted values that a target has for some of the parameters, whatever the call says."""
    fixed = getattr(target, "fixed", None)
    return dict(fixed(parameters)) if fixed is not None else {}


@contextmanager
def use_target(target: Target, *, everywhere: bool = False) -> Iterator[Target]:
    """Let pipelines that are called inside the ``with`` go to this target.

    With ``everywhere`` also those that other threads call meanwhile.
    """
    token = current_target.set(target)
    if everywhere:
        _everywhere.append(target)
    try:
        yield target
    finally:
        if everywhere:
            _everywhere.remove(target)
        current_target.reset(token)
