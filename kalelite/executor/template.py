"""Templates of tasks: specs whose slots still name outputs, parameters and items.

A template slot is one of `kalelite.executor.spec`, or one that `fill` replaces:

    {"output": "<task>", "name": "<output>", "path": […]}
    {"parameter": "<name>", "path": […]}
    {"item": "<loop>", "path": […]}
    {"collected": slot, "loops": ["<loop>", …]}
    {"one_of": "<switch>", "of": [slot, …]}
    {"final": "<exit scope>"}

A template is plain data: a backend compiles it, or fills it where the task is to run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from kalelite.executor.spec import Slot, TaskSpec


class Values(Protocol):
    """What fills a template: each method gives a slot of `kalelite.executor.spec`."""

    def output(self, task: str, output: str) -> Slot: ...

    def parameter(self, name: str) -> Slot: ...

    def item(self, loop: str) -> Slot: ...

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        """The list of an output's values over the loops; ``source`` is an output template slot."""

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        """The template slot of the branch that ran."""

    def status(self, scope: str) -> Mapping[str, Any]: ...


def _is_primitive(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is int:
        # JSON readers refuse longer numbers.
        return abs(value) < 1 << 1024
    return value is None or type(value) in {bool, str}


def value_slot(value: Any) -> Slot | None:
    """The slot of a JSON-like value, such as a pipeline parameter's; None if it is not like that."""
    if _is_primitive(value):
        return {"value": value}
    if type(value) is list:
        items = [value_slot(item) for item in value]
        return None if None in items else {"pack": "list", "of": items}
    if type(value) is dict:
        keys = [value_slot(key) for key in value]
        items = [value_slot(item) for item in value.values()]
        if None not in items and None not in keys:
            return {"pack": "dict", "keys": keys, "of": items}
    return None


def with_path(slot: Slot, path: Sequence[str | int]) -> Slot:
    """The slot of a part of what a slot stands for."""
    return {**slot, "path": [*slot.get("path", ()), *path]} if path else slot


# --- to the spec -----------------------------------------------------------------------------


def fill(
    template: TaskSpec, values: Values, *, task: str = "", attempt: int = 1, record: str = ""
) -> TaskSpec:
    """The spec of one run of the task; ``task`` is its name if not the template's: ``train[3]``."""
    return replace(
        template,
        task=task or template.task,
        arguments={name: fill_slot(slot, values) for name, slot in template.arguments.items()},
        attempt=attempt,
        record=record,
    )


def fill_slot(slot: Slot, values: Values) -> Slot:
    """A slot in which nothing is left to be replaced."""
    path = slot.get("path", ())
    if "output" in slot:
        return with_path(values.output(slot["output"], slot["name"]), path)
    if "parameter" in slot:
        return with_path(values.parameter(slot["parameter"]), path)
    if "item" in slot:
        return with_path(values.item(slot["item"]), path)
    if "collected" in slot:
        return values.collected(slot["collected"], slot["loops"])
    if "one_of" in slot:
        return fill_slot(values.choose(slot["one_of"], slot["of"]), values)
    if "final" in slot:
        return {"status": dict(values.status(slot["final"]))}
    if "pack" in slot:
        return {**slot, "of": [fill_slot(item, values) for item in slot["of"]]}
    return slot
