"""Options of steps and pipelines: everything about them besides their code.

A step's options come from three places; the one nearer to the call wins:

    train.options(memory="8Gi")(x)          the call
    @step(memory="4Gi")                     the decorator
    @pipeline(defaults={"memory": "2Gi"})   the pipeline

Collections are joined key by key: environment variables by name, volumes by path, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.options import alias
from kalelite.plan.options.conflicts import check, check_pipeline
from kalelite.plan.options.keywords import (
    CompileKeywords,
    ContainerKeywords,
    PipelineKeywords,
    StepKeywords,
)
from kalelite.plan.options.option import Option
from kalelite.plan.options.option_table import (
    PIPELINE_OPTIONS,
    STEP_OPTIONS,
    PipelineOptions,
    StepOptions,
)
from kalelite.plan.suggest import did_you_mean
from kalelite.source import locations as places

__all__ = [
    "PIPELINE_OPTIONS",
    "STEP_OPTIONS",
    "CompileKeywords",
    "ContainerKeywords",
    "PipelineKeywords",
    "PipelineOptions",
    "StepKeywords",
    "StepOptions",
    "check",
    "merge",
    "pipeline_options",
    "step_options",
]


def step_options(where: Where | None = None, **settings: Any) -> tuple[StepOptions, list[Problem]]:
    """The usable ones among options of a step, and a Problem at ``where`` for each that is not."""
    values, problems = _parse(settings, STEP_OPTIONS, where)
    options = StepOptions(**values)
    return options, [*problems, *check(options, where)]


def pipeline_options(
    where: Where | None = None, **settings: Any
) -> tuple[PipelineOptions, list[Problem]]:
    """As `step_options`, of a pipeline."""
    values, problems = _parse(settings, PIPELINE_OPTIONS, where)
    defaults = values.get("defaults")
    if isinstance(defaults, Mapping):
        values["defaults"], wrong = step_options(where, **defaults)
        problems += wrong
    options = PipelineOptions(**values)
    return options, [*problems, *check_pipeline(options, where)]


def merge(default: StepOptions, decorator: StepOptions, call: StepOptions) -> StepOptions:
    """The options that a call really has: ``call`` over ``decorator`` over ``default``.

    `check` finds where the results contradict each other.
    """
    result = default
    for nearer in (decorator, call):
        given = nearer.explicit()
        changes = {
            option.name: option.merge(getattr(result, option.name), given[option.name])
            for option in STEP_OPTIONS
            if option.name in given
        }
        result = replace(result, **changes) if changes else result
    return result


def _parse(
    settings: Mapping[str, Any], options: tuple[Option, ...], where: Where | None
) -> tuple[dict[str, Any], list[Problem]]:
    settings, problems = alias.translate(settings, options, where)
    known = {option.name: option for option in options}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            problem = _unknown(name, value, options)
            problems.append(replace(problem, where=places.of_keyword(where, name)))
        elif value is not None:
            try:
                values[name] = known[name].parse(value, name)
            except UsageError as error:
                place = places.of_keyword(where, name)
                problems.append(Problem(error.message, error.hint, place))
    return values, problems


def _unknown(name: str, value: Any, options: tuple[Option, ...]) -> Problem:
    """The Problem of an option that does not exist here, with what was most likely meant."""
    if options is PIPELINE_OPTIONS and name in {option.name for option in STEP_OPTIONS}:
        message = f"{name!r} is an option of steps, not of a pipeline"
        hint = f"For every step of the pipeline, write defaults={{{name!r}: {value!r}}}."
        return Problem(message, hint)
    if options is STEP_OPTIONS and name in {option.name for option in PIPELINE_OPTIONS}:
        hint = f"Write @pipeline({name}={value!r})."
        return Problem(f"{name!r} is an option of the whole pipeline, not of a step", hint)
    known = sorted(option.name for option in options)
    meant = next((f"Did you mean {each.name!r}?" for each in options if name in each.near), "")
    hint = meant or did_you_mean(name, known) or f"The options are {', '.join(known)}."
    owner = "a pipeline" if options is PIPELINE_OPTIONS else "a step"
    return Problem(f"{name!r} is not an option of {owner}", hint)
