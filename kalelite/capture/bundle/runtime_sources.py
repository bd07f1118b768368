"""The part of kalelite that travels in a bundle: what its entries import, and cloudpickle."""

from __future__ import annotations

import ast
import bz2
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kalelite.capture.bundle.strip import strip
from kalelite.capture.local_modules import reached
from kalelite.frozen import frozen
from kalelite.marshal.formats import LIBRARIES

ENTRY = "kalelite.backends.kubeflow.pod.entry:main"
_HOME = Path(__file__).resolve().parents[2]
# Formats and these are imported by name, when a step, its pickle or a user's module asks for them.
_BY_NAME = (
    "kalelite.capture.bundle.stubs",
    "kalelite.capture.rebuild_class",
    "kalelite.executor.metrics",
    "kalelite.plan.status",
)
# Imported for what a pod has no use for.
_STAYS = frozenset(
    {
        "kalelite.backends",
        "kalelite.backends.kubeflow",
        "kalelite.capture.bundle",
        "kalelite.marshal.garbage",
        "kalelite.plan.graph",
    }
)
_ON_REQUEST = (
    "kalelite.plan.types",
    "kalelite.backends.kubeflow.pod.run_home",
    "kalelite.backends.kubeflow.pod.shared_pod",
    "kalelite.backends.kubeflow.pod.told_failures",
)
"""For parameters that are no primitives, artifacts, and pods that tasks share: most pipelines never import
these, so they have to be named."""
_MAX_AGE = 30 * 24 * 3600
"""Of a packed runtime in the user's cache, in seconds."""


@functools.lru_cache(maxsize=8)
def packed_runtime(entries: tuple[str, ...], *, libraries: bool = True) -> bytes:
    """`runtime`, packed, from the user's cache if it is there: packing takes longer than all else.

    Its name there is the digest of every source that could be in it. A folder that cannot be read
    or written costs time only.
    """
    digest = hashlib.sha256(repr((entries, libraries, sys.version_info[:2])).encode())
    for file in sorted(_HOME.rglob("*.py")):
        digest.update(f"{file.relative_to(_HOME)}\0".encode() + file.read_bytes())
    digest.update(importlib.metadata.version("cloudpickle").encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "kalelite")
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        cache = cache.expanduser()
        found = (cache / f"runtime-{digest.hexdigest()[:32]}.bz2").read_bytes()
        bz2.decompress(found)
        return found
    packed = _packed(runtime(entries, libraries=libraries))
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("runtime-*"):
            if time.time() - old.stat().st_mtime > _MAX_AGE:
                old.unlink(missing_ok=True)
        part = cache / f"{digest.hexdigest()[:32]}.{os.getpid()}"
        part.write_bytes(packed)
        part.replace(cache / f"runtime-{digest.hexdigest()[:32]}.bz2")
    return packed


def _packed(sources: Mapping[str, str]) -> bytes:
    """All sources as one piece: they are small and alike, and compress well together only.

    The first line holds the names and the lengths in characters. What zlib makes of them is a
    sixth larger.
    """
    index = json.dumps([[name, len(text)] for name, text in sources.items()], separators=(",", ":"))
    return bz2.compress(f"{index}\n{''.join(sources.values())}".encode())


def runtime(entries: tuple[str, ...] = (), *, libraries: bool = True) -> dict[str, str]:
    """The sources that a bundle holds, by path: what the entries import, and cloudpickle.

    Without ``libraries`` the formats of installed packages stay here: nothing imports any.
    """
    stays = tuple(
        name for name in _ON_REQUEST if not any(entry.startswith(name) for entry in entries)
    )

    def find(name: str) -> _OwnModule | None:
        if name.startswith(stays) or (name in _STAYS and name not in entries):
            return None
        return _own_module(name)

    found = reached(
        [*_BY_NAME, *entries, *_formats(libraries=libraries)], find, lambda module: module.imports
    )
    files = {
        module.path: strip(module.tree, package=module.path.endswith("/__init__.py"))
        for module in found.values()
    }
    spec = importlib.util.find_spec("cloudpickle")
    assert spec is not None
    assert spec.origin is not None
    for file in Path(spec.origin).parent.glob("*.py"):
        files[f"cloudpickle/{file.name}"] = _stripped(file)
    return dict(sorted(files.items()))


@frozen
class _OwnModule:
    """A module of kalelite: its path in the bundle, and its syntax tree."""

    path: str
    tree: ast.Module

    @property
    def imports(self) -> Iterable[str]:
        """What it imports when it runs, not what only a type checker sees."""
        return _imports(self.tree)


def _own_module(name: str) -> _OwnModule | None:
    """A module of kalelite that may travel."""
    if name.partition(".")[0] != "kalelite":
        return None
    path = _HOME.joinpath(*name.split(".")[1:])
    for file in (path / "__init__.py", path.parent / f"{path.name}.py"):
        if file.is_file():
            inside = f"kalelite/{file.relative_to(_HOME).as_posix()}"
            return _OwnModule(inside, ast.parse(file.read_text("utf-8")))
    return None


def _formats(*, libraries: bool) -> Iterator[str]:
    own = {*sys.stdlib_module_names, "plain"}
    of_packages = {module for root, module in LIBRARIES.items() if root not in own}
    for file in (_HOME / "marshal" / "formats").glob("*.py"):
        name = f"kalelite.marshal.formats.{file.stem}".removesuffix(".__init__")
        if libraries or name not in of_packages:
            yield name


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield from _imports(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _stripped(file: Path) -> str:
    return strip(ast.parse(file.read_text("utf-8")), package=file.name == "__init__.py")


@functools.cache
def boot_source() -> bytes:
    """The ``__main__`` of a bundle."""
    return _stripped(_HOME / "capture" / "bundle" / "boot.py").encode()
