"""Versions of installed packages, of which results depend. It travels with the steps."""

from __future__ import annotations

import contextlib
import os
import time
from importlib.machinery import PathFinder
from pathlib import Path

from kalelite.blake import hashed


def package_version(package: str) -> str:
    """The version of an installed package; where that takes long to find, when it was installed."""
    import importlib.metadata  # slow to import, and many steps use no libraries

    spec = None
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = PathFinder.find_spec(package)
    if spec is None or spec.origin is not None:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
        files = [str(spec.origin)] if spec else []
    else:  # a namespace, which many distributions share
        folders = map(Path, spec.submodule_search_locations or ())
        found = (path for folder in folders for path in folder.rglob("*.*"))
        files = [str(path) for path in found if path.suffix in {".py", ".so", ".pyd"}]
    # Its distribution has another name. To find that, all that is installed would have to be read.
    with contextlib.suppress(OSError, IndexError):
        states = sorted((state.st_mtime_ns, state.st_size) for state in map(os.stat, files))
        newest = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(states[-1][0] // 10**9))
        return f"installed {newest} ({hashed(repr(states).encode()).hex()[:12]})"
    return ""
