"""Values of parameters as text: what `kalelite.plan.types.convert` reads back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any

from kalelite.errors import UsageError
from kalelite.plan.types.convert import show

__all__ = ["to_text"]


def to_text(value: Any) -> str:
    """A value as the text that `convert` reads back, for the command line or the KFP UI.

    Raises
    ------
    UsageError
        The value has no such text.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if value is None:
        return "none"
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    try:
        return json.dumps(plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{show(value)} has no text form: {error}") from None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (PurePath, date)):
        return value.isoformat() if isinstance(value, date) else str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else to_text(key): _plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
