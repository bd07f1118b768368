"""Which files are a library's, and not the user's own."""

from __future__ import annotations

import functools
import os
from pathlib import Path

# A step may have run on another machine, whose folders are not those of this one.
_ANYWHERE = tuple(
    os.sep + part
    for part in (f"site-packages{os.sep}", f"dist-packages{os.sep}", f"lib{os.sep}python3.")
)

_FOLDERS = ("stdlib", "platstdlib", "purelib", "platlib")


def is_library(file: str) -> bool:
    """Whether a source file is of Python itself, of an installed package, or of kalelite."""
    return any(part in file for part in _ANYWHERE) or file.startswith(_roots())


@functools.cache
def _roots() -> tuple[str, ...]:
    import sysconfig  # of no use to a pipeline without mistakes

    paths = sysconfig.get_paths()
    own = str(Path(__file__).parents[1])
    return (*(paths[name] + os.sep for name in _FOLDERS), own + os.sep)
