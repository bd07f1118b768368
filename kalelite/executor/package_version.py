"""Versions of installed packages, of which results depend. It travels with the steps."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder, all_suffixes

from kalelite.blake import hashed


def package_version(package: str) -> str:
    """The version of an installed package; where that takes long to find, when it was installed."""
    import importlib.metadata  # slow to import, and many steps use no libraries

    spec = None
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = PathFinder.find_spec(package)
    namespace = spec is not None and spec.origin is None
    if not namespace:  # else many distributions may share the name, and none has it
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    # Its distribution has another name. To find that, all that is installed would have to be read.
    if spec is not None:
        folders, first = spec.submodule_search_locations or (), spec.origin or ""
        with contextlib.suppress(OSError, ValueError):
            return _installed(_modules(folders) if namespace else [first])
    return ""


def _modules(folders: Iterable[str]) -> Iterator[str]:
    """The packages and modules below the folders of a namespace: each by the file that it begins with."""
    for folder in folders:
        for entry in os.scandir(folder):
            first = f"{entry.path}/__init__.py"
            if not entry.is_dir():
                if entry.name.endswith(tuple(all_suffixes())):
                    yield entry.path
            elif os.path.exists(first):
                yield first
            elif entry.name.isidentifier() and entry.name != "__pycache__":
                yield from _modules([entry.path])


def _installed(files: Iterable[str]) -> str:
    states = [os.stat(file) for file in sorted(files)]
    newest = time.gmtime(max(state.st_mtime for state in states))
    digest = hashed(*(f"{state.st_size} {state.st_mtime_ns}".encode() for state in states)).hex()
    return f"installed {time.strftime('%Y-%m-%d %H:%M:%S', newest)} ({digest[:12]})"
