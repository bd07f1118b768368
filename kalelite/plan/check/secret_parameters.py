"""Parameters of a pipeline whose values seem to be secrets: Kubeflow keeps and shows such values."""

from __future__ import annotations

from typing import Any

from kalelite.plan.graph import REQUIRED, Parameter
from kalelite.plan.options.secrecy import secrets_in
from kalelite.plan.options.values import NotSecret


def secrecy_of(parameter: Parameter, value: Any) -> str:
    """Why the value of a parameter seems to be a secret; empty if it does not, or is said to be none."""
    if value is REQUIRED or isinstance(parameter.default, NotSecret):
        return ""
    return next(secrets_in(parameter.name, value), "")


def instead_of(parameter: Parameter) -> str:
    """What to do with a secret that is no parameter."""
    return (
        "Give a step its secret by the option secrets=: "
        f"secrets={{'{parameter.name.upper()}': ('name-of-the-secret', 'key')}}. "
        "If it is none, say so in the default: kalelite.NotSecret(…)."
    )
