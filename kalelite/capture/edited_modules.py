"""Local modules whose file was edited after this process had imported them.

A session goes on with what it imported, so that is what has to travel, and not the file.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

from kalelite.capture.bytecode import codes, is_class
from kalelite.capture.local_modules import is_local_file
from kalelite.capture.rebuild import plain


def is_edited(name: str) -> bool:
    """Whether the file of this module has other code than the module's functions."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None or not isinstance(file, str) or not is_local_file(file):
        return False
    try:
        changed = Path(file).stat().st_ctime_ns
    except OSError:
        return False
    return _began() * 1e9 < changed and _differs(module, _Version(file, changed))


class _Version(NamedTuple):
    """A file as it was when its entry in the folder had changed last, in nanoseconds."""

    file: str
    changed: int


@functools.cache
def _began() -> float:
    """When this process began, in seconds since the epoch, as far as the system tells."""
    try:
        after_boot = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        ticks = os.sysconf("SC_CLK_TCK")
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + after_boot / ticks - 1
    except (OSError, ValueError, AttributeError):
        return 0


@functools.lru_cache(maxsize=256)
def _differs(module: ModuleType, version: _Version) -> bool:
    try:
        text = Path(version.file).read_bytes()
        now = set(codes(compile(text, version.file, "exec", dont_inherit=True)))
    except (OSError, SyntaxError, ValueError):
        return True
    return any(code not in now for code in _own_codes(module, module.__name__))


def _own_codes(holder: ModuleType | type, name: str) -> Iterator[CodeType]:
    """The code of functions that were defined in the module, methods included."""
    for value in list(vars(holder).values()):
        function = getattr(plain(value), "__func__", plain(value))
        if is_class(function):
            if function.__module__ == name and function.__qualname__.startswith(_prefix(holder)):
                yield from _own_codes(function, name)
        elif isinstance(function, FunctionType) and function.__module__ == name:
            # What a decorator has put in its place is of another file.
            own = function.__code__.co_filename == getattr(sys.modules[name], "__file__", None)
            yield from [function.__code__] if own else []


def _prefix(holder: ModuleType | type) -> str:
    return f"{holder.__qualname__}." if is_class(holder) else ""
