"""Calling a container step in a pipeline."""

from __future__ import annotations

import inspect
import sys
from typing import Any, Unpack

from kalelite.authoring.callable_step import CallableStep
from kalelite.authoring.trace.calls import record
from kalelite.errors import Problem, UsageError
from kalelite.plan.graph import REQUIRED, ContainerDef
from kalelite.plan.options import STEP_OPTIONS, ContainerKeywords, step_options
from kalelite.source import locations as places

__all__ = ["ContainerStep"]


class ContainerStep(CallableStep):
    """A container image that can be called in a pipeline.

    One output is the result of the call; several can be unpacked, or taken by name.
    """

    definition: ContainerDef

    def __init__(self, definition: ContainerDef, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(definition, problems, signature_of(definition))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Add a task to the pipeline whose body is running."""
        frame = sys._getframe(1)
        recorded = record(self, args, kwargs, frame)
        if recorded is None:
            raise UsageError(
                f"{self.name!r} is a container; it has no Python function to call",
                hint="Call it in the body of a pipeline.",
                where=places.of_frame(frame),
            )
        return recorded

    def options(
        self, *, name: str | None = None, **options: Unpack[ContainerKeywords]
    ) -> ContainerStep:
        """The same step with other options, for one call."""
        where = places.of_frame(sys._getframe(1))
        settings: dict[str, Any] = {"name": name, **options}
        refused = [
            Problem(
                f"{option.name} is fixed for the container step {self.name!r}",
                option.container,
                where,
            )
            for option in STEP_OPTIONS
            if option.container and settings.pop(option.name, None) is not None
        ]
        given, problems = step_options(where, **settings)
        return self._with_options(given, (*refused, *problems))

    def __repr__(self) -> str:
        return f"<container step {self.name}>"


def signature_of(definition: ContainerDef) -> inspect.Signature:
    """How a container step is called: its inputs in order, those with a default last."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(
            entry.name,
            kind,
            default=inspect.Parameter.empty if entry.default is REQUIRED else entry.default,
            annotation=entry.type,
        )
        for entry in definition.inputs.values()
    ]
    parameters.sort(key=lambda entry: entry.default is not inspect.Parameter.empty)
    return inspect.Signature(parameters)
