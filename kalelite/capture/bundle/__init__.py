"""The bundle: captured steps and the part of kalelite that runs them, as one zip application.

``python3 bundle.pyz …`` runs a step where nothing but Python is installed. The same code gives the
same bytes.
"""

from __future__ import annotations

import ast
import bz2
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kalelite.capture.bundle.strip import strip
from kalelite.capture.code import Code
from kalelite.capture.diagnostics import readable_size
from kalelite.capture.local_modules import reached

__all__ = ["bundle", "contents", "runtime"]

_ENTRY = "kalelite.backends.kubeflow.pod.entry:main"
_HOME = Path(__file__).resolve().parents[2]
# What may travel. The rest of kalelite plans and submits, and has no work to do in a pod.
_TRAVELS = (
    "kalelite",
    "kalelite.errors",
    "kalelite.executor",
    "kalelite.marshal",
    "kalelite.capture.load",
    "kalelite.capture.rebuild",
    "kalelite.capture",
    "kalelite.capture.bundle.stubs",
    "kalelite.backends.kubeflow.pod",
    "kalelite.plan.status",
    "kalelite.plan",
    "kalelite.plan.comparisons",
    "kalelite.plan.types",
    "kalelite.plan.types.convert",
    "kalelite.plan.types.annotations",
    "kalelite.plan.types.scalars",
    "kalelite.plan.types.spelling",
    "kalelite.plan.suggest",
)
_WHOLE = (
    "kalelite.errors",
    "kalelite.executor",
    "kalelite.marshal",
    "kalelite.capture.load",
    "kalelite.backends.kubeflow.pod",
)
_STAYS = ("kalelite.marshal.garbage",)
_ON_REQUEST = "kalelite.plan.types"
"""For parameters that are no primitives: most pipelines never import it, so it has to be named."""
# Formats are imported by name, when a value of their library turns up; steps ask for the rest.
_ROOTS = (
    "kalelite",
    "kalelite.capture.load",
    "kalelite.executor.metrics",
    "kalelite.executor.execute",
    "kalelite.capture.bundle.stubs",
    "kalelite.marshal",
    "kalelite.plan.status",
)
_RUNTIME = "runtime.bz2"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KEEP = 30 * 24 * 3600


def bundle(
    code: Code,
    files: Mapping[str, bytes] | None = None,
    *,
    entry: str = _ENTRY,
    modules: tuple[str, ...] = (),
) -> bytes:
    """Pack captured code into a zip application.

    Parameters
    ----------
    code
        The captured steps; their files are found under ``code/`` in the bundle.
    files
        More files, by path.
    entry
        ``module:function`` to call with the arguments and a function that reads a file of the
        bundle by its path; the function returns the exit code.
    modules
        More modules of kalelite, which the entry does not import, or only for some pipelines.

    Returns
    -------
    bytes
        The content of a ``.pyz`` file.
    """
    packed = {f"code/{name}": data for name, data in code.files().items()}
    packed.update(files or {})
    packed[_RUNTIME] = _kept_runtime((entry.partition(":")[0], *modules))
    packed["LICENSE-cloudpickle"] = _license("cloudpickle")
    about = {
        "format": 1,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "entry": entry,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()},
    }
    packed["bundle.json"] = json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
    packed["__main__.py"] = _boot()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(packed):
            entry_info = zipfile.ZipInfo(name, _EPOCH)
            entry_info.create_system = 3
            entry_info.external_attr = 0o100644 << 16
            how = zipfile.ZIP_STORED if name == _RUNTIME else zipfile.ZIP_DEFLATED
            archive.writestr(entry_info, packed[name], how, compresslevel=9)
    return out.getvalue()


def contents(code: Code, data: bytes, *, count: int = 10) -> list[str]:
    """What makes a bundle large: one line for each of its largest parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {item.filename: item.compress_size for item in archive.infolist()}
    own = sum(
        size
        for name, size in parts.items()
        if name in {_RUNTIME, "__main__.py", "LICENSE-cloudpickle"}
    )
    rows = [(title, size) for title, size in code.sizes() if size]
    lines = [f"{title}: {readable_size(size)} before compression" for title, size in rows[:count]]
    return [*lines, f"kalelite itself: {readable_size(own)} compressed"]


# --- the part of kalelite that travels -------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _kept_runtime(entries: tuple[str, ...]) -> bytes:
    """`runtime`, packed, and kept from one process to the next: it takes longer than all the rest.

    It is kept under the digest of every source that could be in it. A folder that cannot be read
    or written costs time only.
    """
    digest = hashlib.sha256(repr((entries, sys.version_info[:2])).encode())
    for file in sorted(_HOME.rglob("*.py")):
        digest.update(f"{file.relative_to(_HOME)}\0".encode() + file.read_bytes())
    digest.update(importlib.metadata.version("cloudpickle").encode())
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    kept = Path(home, "kalelite", f"runtime-{digest.hexdigest()[:32]}.bz2")
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        found = kept.expanduser().read_bytes()
        bz2.decompress(found)
        return found
    packed = _packed(runtime(entries))
    with contextlib.suppress(OSError, RuntimeError):
        kept = kept.expanduser()
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in kept.parent.glob("runtime-*"):
            if time.time() - old.stat().st_mtime > _KEEP:
                old.unlink(missing_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(packed)
        part.replace(kept)
    return packed


def _packed(sources: Mapping[str, str]) -> bytes:
    """All sources as one piece: they are small and alike, and compress well together only.

    The first line holds the names and the lengths in characters. What zlib makes of them is a
    sixth larger.
    """
    index = json.dumps([[name, len(text)] for name, text in sources.items()], separators=(",", ":"))
    text = f"{index}\n{''.join(sources.values())}"
    return bz2.compress(text.encode())


def runtime(entries: tuple[str, ...] = ()) -> dict[str, str]:
    """The sources that a bundle holds, by path: what the entries import, and cloudpickle."""
    stays = () if any(name.startswith(_ON_REQUEST) for name in entries) else (_ON_REQUEST,)

    def find(name: str) -> _Source | None:
        return None if name.startswith(stays) else _source_of(name)

    found = reached([*_ROOTS, *entries, *_formats()], find, lambda _, source: source.imports)
    files = {
        source.path: strip(source.tree, package=source.path.endswith("/__init__.py"))
        for source in found.values()
    }
    return dict(sorted((files | _package("cloudpickle")).items()))


@dataclass(frozen=True, slots=True)
class _Source:
    """A module of kalelite: its path in the bundle, and its syntax tree."""

    path: str
    tree: ast.Module

    @property
    def imports(self) -> Iterator[str]:
        return _imports(self.tree)


def _source_of(name: str) -> _Source | None:
    """The source of a module of kalelite that may travel."""
    file = _file_of(name)
    if file is None:
        return None
    path = f"kalelite/{file.relative_to(_HOME).as_posix()}"
    return _Source(path, ast.parse(file.read_text("utf-8")))


def _file_of(name: str) -> Path | None:
    """The file of a module of kalelite that may travel."""
    within = name.startswith(tuple(f"{root}." for root in _WHOLE))
    if name in _STAYS or not (name in _TRAVELS or within):
        return None
    path = _HOME.joinpath(*name.split(".")[1:])
    files = (path / "__init__.py", path.parent / f"{path.name}.py")
    return next((file for file in files if file.is_file()), None)


def _formats() -> Iterator[str]:
    for file in (_HOME / "marshal" / "formats").glob("*.py"):
        yield f"kalelite.marshal.formats.{file.stem}".removesuffix(".__init__")


def _imports(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports when it runs; what only a type checker sees is left out."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack.extend(node.orelse)
            continue
        stack.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _package(name: str) -> dict[str, str]:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    return {f"{name}/{file.name}": _stripped(file) for file in sorted(folder.glob("*.py"))}


def _stripped(file: Path) -> str:
    return strip(ast.parse(file.read_text("utf-8")), package=file.name == "__init__.py")


@functools.cache
def _boot() -> bytes:
    """The ``__main__`` of a bundle."""
    return _stripped(_HOME / "capture" / "bundle" / "boot.py").encode()


@functools.cache
def _license(package: str) -> bytes:
    """The licence text of a package that travels along."""
    for file in importlib.metadata.files(package) or ():
        if file.name.upper().startswith("LICENSE"):
            return Path(str(file.locate())).read_bytes()
    return importlib.metadata.metadata(package)["License"].encode()
