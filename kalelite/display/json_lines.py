"""A run as JSON: one object a line, for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from kalelite.authoring.events import Event
from kalelite.display.screen import Screen
from kalelite.plan.graph import Plan


class JsonLines:
    """Writes objects as lines: every event with the keys ``event`` and ``at``."""

    def __init__(self, out: Screen) -> None:
        self._out = out

    def emit(self, event: Event) -> None:
        """Write the event."""
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        self.write({"event": name, **fields})

    def write(self, value: Mapping[str, Any]) -> None:
        """Write one object on one line."""
        self._out.write(json.dumps(encode(value)) + "\n")


def encode(value: Any) -> Any:
    """`value` made of what JSON has; numbers that JSON lacks become their names."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in value]
    return _object(value)


def _object(value: object) -> Any:
    if isinstance(value, Plan):
        return {
            "name": value.name,
            "tasks": [task.id for task in value.tasks],
            "parameters": [parameter.name for parameter in value.parameters],
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return str(value)
