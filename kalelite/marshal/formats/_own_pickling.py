"""Classes whose own code takes part when their instances are pickled."""

from __future__ import annotations

import enum
import functools
import sys
from types import FunctionType
from typing import Any

_HOOKS = frozenset(
    {
        *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__"),
        *("__getnewargs_ex__", "__new__", "__hash__", "__getattr__", "__getattribute__"),
    }
)


@functools.lru_cache(maxsize=4096)
def is_doubtful(cls: Any) -> bool:
    """Whether code of the user's runs when an instance is unpickled, and may fail there.

    What packages bring is trusted.
    """
    if issubclass(cls, enum.Enum):
        return False
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        file = getattr(module, "__file__", None) or ""
        if base.__module__.partition(".")[0] in sys.stdlib_module_names or "-packages" in file:
            continue
        hooks = _HOOKS & base.__dict__.keys()
        if issubclass(base, tuple) and "_fields" in base.__dict__:
            hooks -= {"__new__", "__getnewargs__"}
        if any(base.__dict__[name] is not None for name in hooks):
            return True
    return False


def reduce_exception(error: BaseException) -> Any:
    """An exception without its ``__init__``, which seldom takes what ``args`` holds."""
    if not _has_init_only(type(error)):  # type: ignore[arg-type]
        return NotImplemented
    reduced: Any = error.__reduce_ex__(5)
    cls, args, *state = reduced
    return rebuild_exception, (cls, args), *state


def rebuild_exception(cls: Any, args: tuple[Any, ...]) -> Any:
    """What `reduce_exception` names: part of the stored format."""
    error = cls.__new__(cls, *args)
    _native_init(cls)(error, *args)
    return error


def _native_init(cls: Any) -> Any:
    """The ``__init__`` of the nearest class that is not written in Python."""
    inits = (base.__dict__.get("__init__") for base in cls.__mro__)
    return next(init for init in inits if init and not isinstance(init, FunctionType))


@functools.lru_cache(maxsize=4096)
def _has_init_only(cls: Any) -> bool:
    """Whether a class of exceptions has an ``__init__`` in Python, and pickles as exceptions do."""
    if not isinstance(cls.__init__, FunctionType):
        return False
    own = (cls.__reduce__, cls.__reduce_ex__, cls.__setstate__, cls.__new__)
    slots = any(base.__dict__.get("__slots__") for base in cls.__mro__)
    return not slots and not any(isinstance(method, FunctionType) for method in own)
