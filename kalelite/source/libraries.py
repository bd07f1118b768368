"""Which files are a library's, and not the user's own."""

from __future__ import annotations

import functools
import os
import sysconfig

__all__ = ["is_library"]

_SITES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def is_library(file: str) -> bool:
    """Whether a source file is of Python itself or of an installed package.

    The path is taken as it is written: it may be one of another machine.
    """
    return any(site in file for site in _SITES) or file.startswith(_roots())


@functools.cache
def _roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
