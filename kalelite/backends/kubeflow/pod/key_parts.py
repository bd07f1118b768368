"""The parts of a key that are known only where a step runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kalelite.blake import hashed
from kalelite.capture.file_content import content
from kalelite.executor.package_version import package_version


def found_here(parts: Mapping[str, str]) -> dict[str, str]:
    """The versions of packages and the contents of files that are empty in the parts."""
    return {part: _here(*part.split(" ", 1)) for part, text in parts.items() if not text}


def _here(kind: str, name: str) -> str:
    return package_version(name) if kind == "package" else hashed(content(Path(name))).hex()
