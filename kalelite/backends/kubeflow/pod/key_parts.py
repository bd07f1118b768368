"""The parts of a key that are known only where a step runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kalelite.blake import hashed
from kalelite.capture.file_content import content
from kalelite.executor.package_version import package_version


def filled(parts: Mapping[str, str]) -> dict[str, str]:
    """The parts, with the versions of packages and the contents of files that are empty in them."""
    return {part: text or _here(*part.split(" ", 1)) for part, text in parts.items()}


def _here(kind: str, name: str) -> str:
    return package_version(name) if kind == "package" else hashed(content(Path(name))).hex()
