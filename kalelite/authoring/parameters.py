"""Pipeline parameters: what a signature declares, and the values that a call gives."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Optional

from kalelite.authoring.definition import PipelineDefinition, signature_of
from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.graph import REQUIRED, Parameter, Plan
from kalelite.plan.options.values import NotSecret
from kalelite.plan.types.convert import convert
from kalelite.plan.types.hints import hints_of
from kalelite.source.locations import of_function

_VALUES = (int, float, str, list, dict, tuple, type(None), Enum, PurePath, date, timedelta)


def parameters_of(
    function: Callable[..., Any],
) -> tuple[tuple[Parameter, ...], list[Problem]]:
    """The parameters that a function declares, and what is wrong with them."""
    where = of_function(function)
    hints = hints_of(function)
    parameters: list[Parameter] = []
    problems: list[Problem] = []
    for name, declared in signature_of(function).parameters.items():
        if declared.kind in {declared.VAR_POSITIONAL, declared.VAR_KEYWORD}:
            stars = "*" if declared.kind is declared.VAR_POSITIONAL else "**"
            hint = "Name each parameter, or take one list or dict."
            problems.append(Problem(f"a pipeline cannot take `{stars}{name}`", hint, where))
            continue
        parameter = _parameter(name, declared, hints.get(name), where)
        if parameter.default is not REQUIRED and not _is_value(parameter.default):
            problems.append(_no_value(parameter))
        elif parameter.default is not REQUIRED:
            try:
                default = convert(parameter.default, parameter.type, name=name)
                parameter = dataclasses.replace(parameter, default=default)
            except UsageError as error:
                message = f"the default of parameter `{name}` cannot be used: {error.message}"
                problems.append(Problem(message, error.hint, where))
        parameters.append(parameter)
    return tuple(parameters), problems


def _parameter(name: str, declared: inspect.Parameter, hint: Any, where: Where | None) -> Parameter:
    if declared.default is declared.empty:
        return Parameter(name, hint, where=where)
    default = declared.default
    with contextlib.suppress(Exception):  # what cannot be copied is refused by its type
        default = copy.deepcopy(default)  # a list that the script goes on to change
    if hint is None and default is not None:
        hint = str if isinstance(default, NotSecret) else type(default)
    elif hint is not None and default is None:
        with contextlib.suppress(TypeError):  # the annotation is no type
            hint = Optional[hint]
    return Parameter(name, hint, default, where=where)


def _is_value(default: Any) -> bool:
    """Whether a default is of a type that can be given on a command line or in a form."""
    if dataclasses.is_dataclass(default):
        return not isinstance(default, type)
    return isinstance(default, _VALUES)


def _no_value(parameter: Parameter) -> Problem:
    kind = type(parameter.default).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    message = (
        f"the default of parameter `{parameter.name}` is {article} {kind}, which no one can type in"
    )
    hint = (
        "Parameters are numbers, texts, bools, lists, dicts, paths, dates, enums and dataclasses. Make "
        "other objects in a step, or give them to the step as a constant."
    )
    return Problem(message, hint, parameter.where)


def arguments_of(
    pipeline: PipelineDefinition,
    parameters: tuple[Parameter, ...],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    where: Where | None = None,
) -> dict[str, Any]:
    """A converted value for every parameter: what the call gives, else the default.

    ``where`` is the place of the call. Raises `UsageError` if a value is missing, unknown, or is
    not one that its parameter takes.
    """
    given = _bind(pipeline.name, parameters, args, kwargs, where)
    missing = [p.name for p in parameters if p.default is REQUIRED and p.name not in given]
    if missing:
        values = ", ".join(f"{name}=..." for name in missing)
        one = "parameter" if len(missing) == 1 else "parameters"
        raise UsageError(
            f"pipeline `{pipeline.name}` needs a value for its {one} {', '.join(missing)}",
            hint=f"Call it with `{pipeline.__wrapped__.__name__}({values})`, or give `-p {missing[0]}=...` on "
            "the command line, or write a default.",
            where=pipeline.where,
        )
    return {
        p.name: convert(given[p.name], p.type, name=p.name, where=where or p.where)
        if p.name in given
        else convert(p.default, p.type, name=p.name, where=p.where)
        for p in parameters
    }


def with_defaults(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Plan:
    """The plan with the given values as the defaults of its parameters."""
    given = _bind(plan.name, plan.parameters, args, kwargs, None)
    parameters = tuple(
        dataclasses.replace(p, default=convert(given[p.name], p.type, name=p.name, where=p.where))
        if p.name in given
        else p
        for p in plan.parameters
    )
    return dataclasses.replace(plan, parameters=parameters)


def _bind(
    name: str,
    parameters: tuple[Parameter, ...],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    where: Where | None,
) -> dict[str, Any]:
    names = [parameter.name for parameter in parameters]
    known = f"Its parameters are: {', '.join(names)}." if names else "It takes no parameters."

    def misfit(reason: str) -> UsageError:
        return UsageError(f"pipeline `{name}` {reason}", hint=known, where=where)

    if len(args) > len(names):
        values = "1 value" if len(names) == 1 else f"{len(names)} values"
        raise misfit(f"takes {values}; {len(args)} were given")
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in names:
            raise misfit(f"has no parameter {key!r}")
        if key in given:
            raise misfit(f"got two values for its parameter {key!r}")
        given[key] = value
    return {key: copy.deepcopy(value) for key, value in given.items()}
