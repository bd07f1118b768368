"""Code by value: step functions and what they reach, packed so that they run elsewhere.

The packing side (`capture`) runs where the user's script runs. The loading side
(`kalelite.capture.load`) travels with the steps, so nothing is imported here until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite.capture.code import Code, StepCode, capture
    from kalelite.capture.load import CodeFolder, CodeSource

__all__ = ["Code", "CodeFolder", "CodeSource", "StepCode", "capture"]

_HOMES = {
    "Code": "code",
    "CodeFolder": "load",
    "CodeSource": "load",
    "StepCode": "code",
    "capture": "code",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
