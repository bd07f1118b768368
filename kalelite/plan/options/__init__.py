"""Options of steps and pipelines: everything about them besides their code.

A step's options come from three places; the one nearer to the call wins:

    train.options(memory="8Gi")(x)          the call
    @step(memory="4Gi")                     the decorator
    @pipeline(defaults={"memory": "2Gi"})   the pipeline

Collections are joined key by key: environment variables by name, volumes by path, and so on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.options import alias
from kalelite.plan.options.conflicts import check, check_pipeline
from kalelite.plan.options.help_text import lists_options
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
    "lists_options",
    "merge",
    "pipeline_options",
    "step_options",
]


def step_options(where: Where | None = None, **settings: Any) -> tuple[StepOptions, list[Problem]]:
    """Options of a step from keyword arguments, each checked.

    Returns
    -------
    StepOptions
        The options that are usable.
    list of Problem
        One for each that is not, with what to write instead, at ``where``.
    """
    settings, problems = alias.translate(settings, STEP_OPTIONS, where)
    values, wrong = _parse(settings, STEP_OPTIONS, "a step", where)
    options = StepOptions(**values)
    return options, [*problems, *wrong, *check(options, where)]


def pipeline_options(
    where: Where | None = None, **settings: Any
) -> tuple[PipelineOptions, list[Problem]]:
    """Options of a pipeline from keyword arguments, each checked; as `step_options`."""
    settings, problems = alias.translate(settings, PIPELINE_OPTIONS, where)
    problems += _misplaced(settings, where)
    values, wrong = _parse(settings, PIPELINE_OPTIONS, "a pipeline", where)
    problems += wrong
    defaults = values.get("defaults")
    if isinstance(defaults, Mapping):
        values["defaults"], wrong = step_options(where, **defaults)
        problems += wrong
    options = PipelineOptions(**values)
    return options, [*problems, *check_pipeline(options, where)]


def merge(default: StepOptions, decorator: StepOptions, call: StepOptions) -> StepOptions:
    """The options that a call really has: ``call`` over ``decorator`` over ``default``.

    Each option has its rule (`Option.merge`). `check` finds where the results contradict each
    other.
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
    settings: Mapping[str, Any], options: Collection[Option], owner: str, where: Where | None
) -> tuple[dict[str, Any], list[Problem]]:
    known = {option.name: option for option in options}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in settings.items():
        if name not in known:
            problems.append(alias.unknown(name, options, owner, places.of_keyword(where, name)))
        elif value is not None:
            try:
                values[name] = known[name].parse(value, name)
            except UsageError as error:
                place = places.of_keyword(where, name)
                problems.append(Problem(error.message, error.hint, place))
    return values, problems


def _misplaced(settings: dict[str, Any], where: Where | None) -> list[Problem]:
    """Takes the options of steps out of a pipeline's settings; a Problem for each."""
    own = {option.name for option in PIPELINE_OPTIONS}
    steps = {option.name for option in STEP_OPTIONS} - own
    return [
        Problem(
            f"{name!r} is an option of steps, not of a pipeline",
            f"For every step of the pipeline, write defaults={{{name!r}: {settings.pop(name)!r}}}.",
            where,
        )
        for name in [name for name in settings if name in steps]
    ]
