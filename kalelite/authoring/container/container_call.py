"""Calling a container step in a pipeline."""

from __future__ import annotations

import inspect
import sys
from typing import Any, Unpack

from kalelite.authoring.trace import Trace, current
from kalelite.authoring.trace.after import wait_for
from kalelite.authoring.trace.binding import Binder, misfit
from kalelite.authoring.trace.draft import TaskDraft
from kalelite.authoring.trace.expressions import to_expr
from kalelite.authoring.trace.proxies import OutputProxy
from kalelite.authoring.trace.refs import Poison
from kalelite.errors import Problem, UsageError
from kalelite.plan.graph import REQUIRED, ContainerDef
from kalelite.plan.options import (
    STEP_OPTIONS,
    ContainerKeywords,
    StepOptions,
    merge,
    step_options,
)
from kalelite.plan.types.hints import Returns
from kalelite.source import locations as places

__all__ = ["ContainerStep"]


class ContainerStep:
    """A container image that can be called in a pipeline.

    One output is the result of the call; several can be unpacked, or taken by name.

    Attributes
    ----------
    definition
        The image, its command, inputs and outputs.
    problems
        What is wrong with them; reported with the pipeline that calls the step.
    """

    def __init__(
        self,
        definition: ContainerDef,
        problems: tuple[Problem, ...] = (),
        *,
        call_options: StepOptions | None = None,
        waits: tuple[Any, ...] = (),
    ) -> None:
        self.definition = definition
        self.problems = problems
        self.call_options = call_options
        self.waits = waits
        self.binder = Binder(signature_of(definition))

    @property
    def name(self) -> str:
        """What the step is called."""
        name = self.call_options.name if self.call_options is not None else None
        return name or self.definition.name

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Add a task to the pipeline whose body is running."""
        trace = current()
        if trace is None:
            raise UsageError(
                f"{self.name!r} is a container; it has no Python function to call",
                hint="Call it in the body of a pipeline.",
                where=places.of_frame(sys._getframe(1)),  # noqa: SLF001 - the caller's place
            )
        draft = self._draft(trace, args, kwargs)
        if draft is None:
            return Poison(trace)
        trace.add(draft)
        for index in range(len(self.definition.outputs)):
            draft.part(index)
        single = len(self.definition.outputs) == 1
        return OutputProxy(trace, draft, 0 if single else None)

    def options(
        self, *, name: str | None = None, **options: Unpack[ContainerKeywords]
    ) -> ContainerStep:
        """The same step with other options, for one call."""
        where = places.of_frame(sys._getframe(1))  # noqa: SLF001 - the caller's place
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
        given = merge(StepOptions(), self.call_options or StepOptions(), given)
        problems = [*self.problems, *refused, *problems]
        return ContainerStep(self.definition, tuple(problems), call_options=given, waits=self.waits)

    def after(self, *others: Any) -> ContainerStep:
        """The same step, waiting for others besides those it takes values from, for one call."""
        return ContainerStep(
            self.definition,
            self.problems,
            call_options=self.call_options,
            waits=(*self.waits, *others),
        )

    def __deepcopy__(self, memo: Any) -> ContainerStep:
        return self

    def __repr__(self) -> str:
        return f"<container step {self.name}>"

    def _draft(self, trace: Trace, args: Any, kwargs: dict[str, Any]) -> TaskDraft | None:
        """The task of one call; None if it cannot be called like this."""
        definition = self.definition
        trace.adopt(self.problems)
        frame = sys._getframe(2)  # noqa: SLF001 - the caller's place
        waits = list(self.waits)
        if "after" in kwargs and "after" not in definition.inputs:
            waits.append(kwargs.pop("after"))
        outputs = definition.outputs
        draft = TaskDraft(
            id=trace.new_id(trace.slug_of(self.name, definition)),
            step=definition,
            arguments={},
            returns=Returns(
                hint=type(None) if not outputs else tuple,
                items=tuple(output.type for output in outputs.values()) or None,
                fields=tuple(outputs) or None,
            ),
            use=trace.use_at(frame),
            options=trace.options_for(definition, self.call_options, places.of_frame(frame)),
            parent=trace.parent,
            where=places.of_frame(frame),
        )
        try:
            bound = self.binder.bind(args, kwargs)
        except TypeError as error:
            wrong, meant = misfit(self.binder.signature, kwargs, error)
            trace.problem(
                "arguments",
                f"container step `{self.name}` cannot be called like this: {wrong}",
                f"{meant} It takes {self.binder.signature}.".lstrip(),
                where=draft.where,
            )
            return None
        for name, value in bound.items():
            draft.arguments[name] = to_expr(trace, value, f"argument `{name}`")
        if waits:
            draft.after.extend(wait_for(trace, waits, draft))
        return draft


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
