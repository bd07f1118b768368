"""Which modules are the user's own, and the source that has to travel for each.

A module is local if it is neither built in, nor of the standard library, nor installed, nor part
of kalelite. Installed packages travel by name, local modules by their source.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kalelite.capture.bytecode import Import, is_module_name, resolve_import
from kalelite.source import libraries
from kalelite.source.locations import nodes_of

_INSTALLED = frozenset({"site-packages", "dist-packages"})
Found = TypeVar("Found")


@dataclass(frozen=True)
class LocalModule:
    """A local module. ``text`` is None if there is no source: an extension or bytecode only."""

    name: str
    file: str
    package: bool
    text: str | None

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, empty if there is no source that compiles."""
        try:
            return ast.parse(self.text or "", self.file)
        except (SyntaxError, ValueError):
            return ast.Module(body=[], type_ignores=[])

    @functools.cached_property
    def imports(self) -> frozenset[str]:
        """All modules that it may import, at any depth of its source."""
        package = self.name if self.package else self.name.rpartition(".")[0]
        return frozenset(name for node in nodes_of(self.tree) for name in _imported(node, package))


@functools.cache
def _roots() -> tuple[Path, ...]:
    return tuple(Path(folder).resolve() for folder in libraries.FOLDERS)


@functools.lru_cache(maxsize=4096)
def is_local_file(file: str) -> bool:
    """True if the file is the user's own, and not of an installed package."""
    path = Path(file)
    if not path.is_absolute():
        path = Path.cwd() / path
    if _INSTALLED.intersection(path.parts):
        return False
    path = path.resolve()
    if _INSTALLED.intersection(path.parts):
        return False
    return not any(path.is_relative_to(root) for root in _roots())


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """The spec of a module, imported or not. Unlike importlib's it imports no parent."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if isinstance(spec, importlib.machinery.ModuleSpec):
        return spec
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return importlib.util.spec_from_file_location(name, file)
    if module is not None:
        return None
    parent = name.rpartition(".")[0]
    path: list[str] | None = None
    if parent:
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    try:
        return importlib.machinery.PathFinder.find_spec(name, path)
    except (ImportError, ValueError, AttributeError):
        return None


def _located(name: str) -> importlib.machinery.ModuleSpec | None:
    """The spec of a local module."""
    if name in {"", "__main__", "__mp_main__"} or name.partition(".")[0] == "kalelite":
        return None
    spec = _spec(name)
    if spec is None or spec.origin in {"built-in", "frozen"}:
        return None
    locations = spec.submodule_search_locations
    place = spec.origin if spec.origin is not None else next(iter(locations or ()), None)
    return spec if place is not None and is_local_file(place) else None


class LocalModules:
    """The local modules of this process and its path; each is read once."""

    def __init__(self) -> None:
        self._found: dict[str, LocalModule | None] = {}

    def find(self, name: str) -> LocalModule | None:
        """The local module of that name; None if there is none, or if it is not local."""
        if name not in self._found:
            self._found[name] = _find(name)
        return self._found[name]

    def closure(self, names: Iterable[str]) -> dict[str, LocalModule]:
        """The local modules among the names, their parent packages, and all that they import."""
        return reached(names, self.find, lambda module: module.imports)


def _find(name: str) -> LocalModule | None:
    spec = _located(name)
    if spec is None:
        return None
    locations = spec.submodule_search_locations
    if spec.origin is None:
        # A folder without __init__.py travels as an empty package.
        folder = Path(next(iter(locations or ())))
        return LocalModule(name, str(folder / "__init__.py"), package=True, text="")
    text = None
    if spec.origin.endswith((".py", ".pyw")):
        with contextlib.suppress(OSError, SyntaxError, UnicodeDecodeError):
            text = importlib.util.decode_source(Path(spec.origin).read_bytes())
    return LocalModule(name, spec.origin, locations is not None, text)


def is_made_by_hand(name: str) -> bool:
    """True if the module is loaded but lies in no file: made by code, or a notebook."""
    module = sys.modules.get(name)
    if module is None or name in sys.builtin_module_names:
        return False
    return _spec(name) is None and getattr(module, "__file__", None) is None


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        yield from resolve_import(Import(node.module or "", node.level, names), package)
    elif isinstance(node, ast.Call):
        # importlib.import_module("name"), whatever it is called as
        yield from (
            item.value
            for item in node.args[:1]
            if isinstance(item, ast.Constant)
            and isinstance(item.value, str)
            and "import" in ast.dump(node.func)
            and is_module_name(item.value)
        )


def reached(
    names: Iterable[str],
    find: Callable[[str], Found | None],
    imports: Callable[[Found], Iterable[str]],
) -> dict[str, Found]:
    """The modules among the names that ``find`` knows, their parents, and all that they import."""
    found: dict[str, Found] = {}
    pending = sorted(set(names), reverse=True)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        module = find(name)
        if module is not None:
            found[name] = module
            pending.append(name.rpartition(".")[0])
            pending.extend(imports(module))
    return dict(sorted(found.items()))
