"""What KFP itself can read, compare and loop over; everything else goes through the store."""

from __future__ import annotations

import math
from typing import Any

from kalelite.backends.kubeflow.compile.escaping import expansion
from kalelite.backends.kubeflow.pod.kfp_artifacts import HTML_TYPE, METRICS_TYPE
from kalelite.backends.kubeflow.pod.outputs import is_rounded
from kalelite.plan.graph import Parameter
from kalelite.plan.types.fit import native_name

FILE = "file"
"""The type of files among the types of parameters, and the output of a task that writes one."""

METRICS, PAGE = METRICS_TYPE, HTML_TYPE
LOGGED = {"log_metric": ("metrics", METRICS), "log_artifact": ("page", PAGE)}
"""The artifact that shows what these functions keep, and its type."""

PRIMITIVES = ("int", "float", "str", "bool")
_ITEMS_LIMIT = 4096


def _plain_text(text: str) -> bool:
    """Whether a text may stand in a condition: CEL literals are not escaped by kfp."""
    return (
        text.isascii() and text.isprintable() and not set(text) & set("'\\") and not expansion(text)
    )


def _plain_number(value: float) -> bool:
    """Whether KFP carries a number exactly."""
    return not is_rounded(value) and math.isfinite(value)


def plain_items(items: list[Any] | tuple[Any, ...]) -> bool:
    """Whether items may stand in the IR: of one primitive type, exact, harmless and not large."""
    kinds = {type(item) for item in items}
    if len(kinds) != 1 or not kinds <= {int, float, str}:
        return False
    if kinds == {str}:
        return (
            not any(expansion(item) or "\0" in item for item in items)
            and sum(map(len, items)) <= _ITEMS_LIMIT
        )
    return all(map(_plain_number, items))


def native_type(parameter: Parameter) -> str | None:
    """The primitive type under which a pipeline parameter travels; None if it does as text."""
    if parameter.default is None:
        return None
    return native_name(parameter.type if parameter.type is not None else type(parameter.default))


def would_round(parameter: Parameter, value: Any) -> bool:
    """Whether KFP would carry another number than the value of a parameter has."""
    return native_type(parameter) is not None and is_rounded(value)


def element_type(annotation: Any) -> str | None:
    """The primitive type of a list's items, from ``list[int]``; None if it is not known."""
    args: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return native_name(args[0]) if len(args) == 1 else None


def constant_type(value: Any) -> str | None:
    """The primitive type under which KFP can compare a constant, None if it cannot."""
    if type(value) is str:
        return "str" if _plain_text(value) else None
    if type(value) is bool:
        return "bool"
    return type(value).__name__ if type(value) in (int, float) and _plain_number(value) else None
