"""Which pipeline is meant, and with which parameter values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kalelite.authoring.pipeline import pipelines_of
from kalelite.errors import PipelineError, Problem, UsageError
from kalelite.plan.graph import REQUIRED, Group, Parameter
from kalelite.plan.suggest import did_you_mean
from kalelite.plan.types.convert import convert

if TYPE_CHECKING:
    from types import ModuleType

    from kalelite.authoring.pipeline import Pipeline
    from kalelite.cli.program import Program


def choose(
    pipelines: Sequence[Pipeline[..., Any]], name: str | None, script: str
) -> Pipeline[..., Any]:
    """The pipeline called `name`, or the only one there is.

    Raises `UsageError`: there are several and none was named, or none has that name;
    `PipelineError`: the script defines no pipeline at all.
    """
    names = [pipeline.name for pipeline in pipelines]
    if not pipelines:
        hint = "Decorate the function that calls the steps with @pipeline from kalelite."
        if script.endswith(".ipynb"):
            hint += "\nOr give its cells tags as Kale has them, such as step:NAME and prev:NAME."
        raise PipelineError(Problem(f"{script} defines no pipeline", hint))
    if name is None:
        if len(pipelines) == 1:
            return pipelines[0]
        if len(set(names)) < len(names):  # told apart by their functions
            names = [str(getattr(each, "__name__", each.name)) for each in pipelines]
        raise UsageError(
            f"{script} has {len(pipelines)} pipelines: {', '.join(names)}",
            hint=f"Say which one: --pipeline {names[0]}",
        )
    for pipeline in pipelines:
        if name in {pipeline.name, getattr(pipeline, "__name__", None)}:
            return pipeline
    raise UsageError(
        f"{script} has no pipeline called {name!r}",
        hint=did_you_mean(name, names) or f"It has: {', '.join(names)}.",
    )


def known_names(known: Iterable[Parameter], given: Mapping[str, str]) -> None:
    """Refuse values for parameters that do not exist.

    Raises `UsageError`: naming each such parameter, and the one that was probably meant.
    """
    parameters = {p.name: p for p in known}
    shown = ", ".join(f"{p.name}: {type_name(p)}" for p in parameters.values())
    all_of_them = f"Parameters: {shown}." if shown else "The pipeline has no parameters."
    problems = tuple(
        Problem(
            f"there is no pipeline parameter called {name!r}",
            did_you_mean(name, parameters) or all_of_them,
        )
        for name in given
        if name not in parameters
    )
    if problems:
        raise UsageError.of(problems)


def arguments_of(parameters: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """The value of every parameter: from the command line, else the default.

    Raises `UsageError`: some have no value, or a text does not fit the parameter's type: all that
    is wrong.
    """
    values: dict[str, Any] = {}
    missing: list[Parameter] = []
    problems: list[Problem] = []
    for parameter in parameters:
        name = parameter.name
        if name in given:
            try:
                values[name] = convert(given[name], parameter.type, name=name, text=True)
            except UsageError as error:
                problems.append(Problem(error.message, error.hint, error.where))
        elif parameter.default is not REQUIRED:
            values[name] = parameter.default
        else:
            missing.append(parameter)
    if missing:
        shown = ", ".join(f"{p.name} ({type_name(p)})" for p in missing)
        hint = "Give " + " ".join(f"-p {p.name}=..." for p in missing)
        problems.append(Problem(f"no value for {shown}", hint, missing[0].where))
    if problems:
        raise UsageError.of(tuple(problems))
    return values


def type_name(parameter: Parameter) -> str:
    """How a parameter's type is written."""
    kind = parameter.type
    if kind is None:
        return "any type"
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def pipelines_meant(
    script: Program, module: ModuleType, known: Iterable[Pipeline[..., Any]]
) -> list[Pipeline[..., Any]]:
    """The pipelines that the user may mean: the script's own, else those that it imports.

    A pipeline that is only a part of another one does not count.
    """
    here = pipelines_of(vars(module))
    before = {id(pipeline) for pipeline in known}
    found = [p for p in here if p.where is not None and script.holds(p.where.file)] or here
    found = found or [p for p in pipelines_of() if id(p) not in before]
    if len(found) < 2:
        return found
    inner = {
        block.name
        for pipeline in found
        for block in pipeline.draft()[0].blocks
        if isinstance(block, Group)
    }
    return [pipeline for pipeline in found if pipeline.name not in inner] or found
