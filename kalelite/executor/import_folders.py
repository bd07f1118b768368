"""Folders that a step imports modules from, as its environment names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def import_folders(env: Mapping[str, str]) -> list[str]:
    """The folders of ``PYTHONPATH``."""
    return [folder for folder in env.get("PYTHONPATH", "").split(os.pathsep) if folder]


def put_on_path(env: Mapping[str, str]) -> None:
    """Let the modules in those folders be imported, as a Python does that starts with it."""
    sys.path[1:1] = import_folders(env)
