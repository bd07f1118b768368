"""What captured pickles call when they are loaded: functions and classes made again, in place.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import functools
import importlib
import marshal
import os
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any


def plain(function: Any) -> Any:
    """The function under a decorated step; anything else as it is."""
    while type(function).__module__.startswith("kalelite.") and hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def resolve(module: str, qualname: str) -> Any:
    """A function of an importable module, without its step decorator."""
    value: Any = importlib.import_module(module)
    for part in qualname.split("."):
        value = getattr(value, part)
    return plain(value)


def load_code(data: bytes) -> CodeType:
    """A code object from its bytes."""
    code: CodeType = marshal.loads(data)
    return code


def new_cell() -> CellType:
    """A closure cell, still empty."""
    return CellType()


def cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    """A function behind an empty `functools.lru_cache`."""
    return functools.lru_cache(maxsize, typed)(function)


def compiled(cls: Any, states: dict[str, Any]) -> Any:
    """A function that numba compiles when it is called."""
    return cls._rebuild(uuid=os.urandom(16).hex(), **states)


def validated(cls: Any, function: Any, config: Mapping[str, Any], checks_return: bool) -> Any:
    """What pydantic puts around a function, to look at its annotations when it is called first."""
    return cls(function, {**config, "defer_build": True}, checks_return, None)


def define_function(
    namespace: dict[str, Any], name: str | None, code: CodeType, cells: tuple[Any, ...] | None
) -> FunctionType:
    """Make a function whose globals are the namespace; with a name, put it there at once."""
    namespace.setdefault("__builtins__", __builtins__)
    function = FunctionType(code, namespace, None, None, cells)
    if name is not None:
        namespace[name] = function
    return function


def fill_function(function: FunctionType, state: Mapping[str, Any]) -> None:
    """Give a function its defaults, attributes and closure, after it exists: cycles are usual."""
    for module in state.get("imports", ()):
        importlib.import_module(module)
    for key in ("__defaults__", "__kwdefaults__", "__annotations__", "__doc__", "__module__"):
        if key in state:
            setattr(function, key, state[key])
    function.__name__ = state["__name__"]
    function.__qualname__ = state["__qualname__"]
    function.__dict__.update(state.get("__dict__", {}))
    for cell, value in zip(function.__closure__ or (), state.get("cells", ()), strict=False):
        if value:
            cell.cell_contents = value[0]
