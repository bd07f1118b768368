"""Versions of installed packages, of which results depend. It travels with the steps."""

from __future__ import annotations

import contextlib
from importlib.machinery import PathFinder
from pathlib import Path


def package_version(package: str) -> str:
    """The version of an installed package; where that takes long to find, when it was installed."""
    import importlib.metadata  # slow to import, and many steps use no libraries

    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    # Its distribution has another name. To find that, all that is installed would have to be read.
    with contextlib.suppress(ImportError, ValueError, OSError, AttributeError):
        spec = PathFinder.find_spec(package)
        if spec is not None and spec.origin is not None:
            found = Path(spec.origin).stat()
            return f"{found.st_size}.{found.st_mtime_ns}"
    return ""
