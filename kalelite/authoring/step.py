"""``@step``: a plain function that becomes a task when a pipeline's body calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import FrameType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast

from kalelite.authoring.callable_step import CallableStep
from kalelite.authoring.definition import function_problem, look_like, signature_of
from kalelite.errors import Problem, Where
from kalelite.plan.graph import StepDef
from kalelite.plan.options import (
    StepKeywords,
    StepOptions,
    step_options,
)
from kalelite.source import locations as places

P = ParamSpec("P")
R = TypeVar("R")


class Step(CallableStep, Generic[P, R]):
    """A decorated function. Outside a pipeline it is that function; inside it records a task."""

    definition: StepDef
    __wrapped__: Callable[P, R]

    def __init__(self, definition: StepDef, problems: Iterable[Problem] = ()) -> None:
        super().__init__(definition, problems, definition.signature)
        look_like(self, definition.function)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # arguments that do not fit are the caller's mistake
        from kalelite.authoring.trace.calls import record  # here: decorating needs no tracing

        recorded = record(self, args, kwargs, sys._getframe(1))
        if recorded is None:
            from kalelite.authoring.trace.threads import lost_call

            recorded = lost_call(self.name)
        if recorded is not None:
            return cast("R", recorded)
        if "after" in kwargs and "after" not in self.definition.signature.parameters:
            del kwargs["after"]  # an order of tasks; a plain call has its order
        return self.__wrapped__(*args, **kwargs)

    def options(self, **options: Unpack[StepKeywords]) -> Step[P, R]:
        """The same step with other options, for one call: ``train.options(memory="8Gi")(x)``."""
        where = places.of_frame(sys._getframe(1))
        return self._with_options(*step_options(where=where, **options))

    def __repr__(self) -> str:
        return f"<step {self.name}>"


def define_step(function: Any, options: StepKeywords, frame: FrameType) -> Any:
    """What `kalelite.step` makes of a function, or of options alone, where ``frame`` calls it."""
    place = places.of_decorator(frame)
    parsed, problems = step_options(where=place, **options) if options else (StepOptions(), [])
    if isinstance(function, str):
        hint = f"Write `@step(name={function!r})`."
        problems.append(Problem(f"@step was given {function!r} without its name", hint, place))
        parsed, function = replace(parsed, name=function), None
    if function is None:
        return lambda function: _define(function, parsed, problems, place)
    return _define(function, parsed, problems, place)


def _define(
    function: Any, options: StepOptions, problems: list[Problem], place: Where
) -> Step[..., Any]:
    if isinstance(function, Step):
        hint = "Keep one @step, with all options in it."
        twice = Problem(f"`{function.name}` is decorated with @step twice", hint, place)
        return Step(function.definition, (*function.problems, *problems, twice))
    wrong = function_problem(function, "step", place)
    if wrong is not None and not callable(function):
        function = _stand_in(function)
    definition = StepDef(
        name=options.name or str(getattr(function, "__name__", type(function).__name__)),
        function=function,
        signature=signature_of(function),
        description=_summary(function),
        options=options,
        where=places.of_function(function) or place,
    )
    return Step(definition, [*problems, wrong] if wrong is not None else problems)


def _stand_in(target: Any) -> Callable[..., Any]:
    """A function in the place of what is none; the problem that goes with it is always reported."""

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        raise TypeError(f"@step was put on {target!r}, which is no function")

    return stand_in


def _summary(function: Any) -> str:
    text = getattr(function, "__doc__", None)
    return text.strip().partition("\n\n")[0] if isinstance(text, str) else ""
