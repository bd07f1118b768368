"""What the KFP UI shows of the compiled pipeline itself: its names and parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.compile.escaping import expansion, identifier, prose
from kalelite.backends.kubeflow.compile.native_values import native_type, would_round
from kalelite.errors import Problem, UsageError
from kalelite.frozen import frozen
from kalelite.plan.check.secret_parameters import instead_of, secrecy_of
from kalelite.plan.graph import REQUIRED, Parameter, Plan
from kalelite.plan.names import slug
from kalelite.plan.types.convert import to_text


@frozen
class RootParameter:
    """A parameter as the KFP UI shows it; a default of REQUIRED is none."""

    name: str
    type: str
    default: Any
    description: str = ""


@frozen
class Root:
    """The pipeline; its parameters are by the names that the plan has for them."""

    name: str
    display_name: str
    description: str
    parameters: Mapping[str, RootParameter]


def root_of(plan: Plan, settings: Settings) -> Root:
    """The pipeline as KFP shows it."""
    found: dict[str, RootParameter] = {}
    for parameter in plan.parameters:
        taken = {other.name for other in found.values()}
        name = identifier(parameter.name, taken)
        kind = native_type(parameter) or "str"
        value = settings.arguments.get(parameter.name, parameter.default)
        default = value if value is REQUIRED else kfp_value(parameter, value)
        found[parameter.name] = RootParameter(name, kind, default, prose(parameter.description))
    return Root(slug(plan.name, limit=57), prose(plan.name), prose(plan.description), found)


def kfp_value(parameter: Parameter, value: Any) -> Any:
    """A value as KFP takes it: itself, or the text that is read back in the pod."""
    return value if native_type(parameter) else to_text(value)


def parameter_problems(plan: Plan, settings: Settings) -> Iterator[Problem]:
    """What KFP cannot carry of the parameters' values."""
    for name in settings.arguments:
        if name not in {parameter.name for parameter in plan.parameters}:
            yield Problem(f"the pipeline has no parameter {name!r}", "", plan.where)
    for parameter in plan.parameters:
        value = settings.arguments.get(parameter.name, parameter.default)
        if value is REQUIRED:
            continue
        if reason := secrecy_of(parameter, value):
            message = (
                f"parameter {parameter.name!r} {reason}, and Kubeflow keeps and shows its value"
            )
            yield Problem(message, instead_of(parameter), parameter.where or plan.where)
            continue
        problem = ""
        try:
            text = json.dumps(kfp_value(parameter, value), allow_nan=False)
            found = expansion(text)
            problem = f"holds {found}" if found else ""
        except UsageError as error:
            problem = f"has no text: {error.message}"
        except (TypeError, ValueError) as error:
            problem = f"is nothing that JSON can hold: {error}"
        if not problem and would_round(parameter, value):
            problem = "holds a number that KFP would round: it keeps 53 bits"
        if problem:
            hint = "Give the value to the step as a constant: constants travel with the code."
            message = f"the value of parameter {parameter.name!r} {problem}"
            yield Problem(message, hint, parameter.where or plan.where)
