"""Which files are a library's, and not the user's own."""

from __future__ import annotations

import os
import site
from pathlib import Path

# A step may have run on another machine, whose folders are not those of this one.
_ANYWHERE = tuple(
    os.sep + part
    for part in (f"site-packages{os.sep}", f"dist-packages{os.sep}", f"lib{os.sep}python3.")
)

# `sysconfig` would take a run of one step a millisecond to ask.
FOLDERS = (str(Path(site.__file__).parent), *site.getsitepackages())
"""Where Python's own modules and installed packages lie."""
_ROOTS = tuple(folder + os.sep for folder in (*FOLDERS, str(Path(__file__).parents[1])))


def is_library(file: str) -> bool:
    """Whether a source file is of Python itself, of an installed package, or of kalelite."""
    return any(part in file for part in _ANYWHERE) or file.startswith(_ROOTS)
