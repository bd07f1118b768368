"""The folder that holds runs, values and code on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def home(folder: str | Path | None = None) -> Path:
    """The folder that holds runs, values and code.

    The one given, else the environment's ``KALELITE_HOME``, else the nearest ``.kalelite``
    upwards from the current directory, else ``.kalelite`` in the current directory.
    """
    given = folder or os.environ.get("KALELITE_HOME")
    if given:
        return Path(given).expanduser().absolute()
    here = Path.cwd()
    for parent in (here, *here.parents):
        if (parent / ".kalelite").is_dir():
            return parent / ".kalelite"
    return here / ".kalelite"
