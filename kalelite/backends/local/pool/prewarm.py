"""A fork server that is ready before it is needed: it imports while the script still does.

What a script imports is read from its source, so that the server can do so at the same time.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import sys
import types
from collections.abc import Iterable, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.local.pool.client import ForkServer

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan

_ready: list[ForkServer] = []
_given_back: dict[str, tuple[int, ...]] = {}
"""The files of the packages that a server has imported, as they were when it was given back."""


def prewarm(source: str, path: Sequence[str] | None = None, *, fork: bool = False) -> None:
    """Start the fork server, and have it import the installed packages that a script imports.

    ``source`` is the script's text, ``path`` the ``sys.path`` that it will have, if that is not
    this process's own. With ``fork`` this process has run nothing of the user's so far.
    """
    if not _ready:
        _ready.append(ForkServer(installed(imports_of(source), path), path, fork=fork))


def take(modules: Sequence[str]) -> ForkServer:
    """The warm server, or else a new one, with the modules imported too."""
    while _ready:
        server = _ready.pop()
        known = not _given_back or _given_back.items() <= _stamps(server.modules).items()
        _given_back.clear()
        if server.fit and known:
            server.also_import(modules)
            return server
        server.close()
    return ForkServer(modules)


def give_back(server: ForkServer) -> None:
    """Keep a server that is still good for the next run of this process, or close it."""
    if _ready or not server.fit:
        server.close()
    else:
        _ready.append(server)
        _given_back.update(_stamps(server.modules))


def _stamps(modules: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """What changes when a package is installed anew: a server has the one that was there before."""
    found: dict[str, tuple[int, ...]] = {}
    for root in {name.partition(".")[0] for name in modules}:
        with contextlib.suppress(ImportError, ValueError, OSError, AttributeError):
            spec = PathFinder.find_spec(root)
            if spec is not None and spec.origin is not None:
                file = Path(spec.origin).stat()
                found[root] = (file.st_mtime_ns, file.st_size, file.st_ino)
    return found


@atexit.register
def cool() -> None:
    """Close a warm server that nobody took."""
    while _ready:
        _ready.pop().close()


def used_by(plan: Plan) -> list[str]:
    """The installed modules that the globals of a plan's steps come from."""
    # Not above: the server is started before the plan's vocabulary is imported.
    from kalelite.plan.graph import StepDef

    names: dict[str, None] = {}
    seen: set[int] = set()
    for task in plan.tasks:
        space: Any = getattr(task.step, "function", None)
        space = getattr(space, "__globals__", None)
        if isinstance(task.step, StepDef) and space is not None and id(space) not in seen:
            seen.add(id(space))
            names.update(dict.fromkeys(_homes(list(space.values()))))
    found = installed(name for name in names if name in sys.modules)
    if any(getattr(task.step, "function", _homes).__module__ != "__main__" for task in plan.tasks):
        # A module that defines steps is run again in each process, and it imports these.
        ours = (
            name for name in names if name.startswith(("kalelite.plan.", "kalelite.authoring."))
        )
        found += ["kalelite.authoring.pipeline", *ours]
    return found


def _homes(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            home = value.__module__
            if isinstance(home, str):
                yield home


def imports_of(source: str) -> list[str]:
    """The modules that a source imports at its top level, in order; none if it does not parse.

    Imports below ``if``, ``try`` and ``with`` count, those of type checkers only do not.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: dict[str, None] = {}
    stack: list[ast.stmt] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found.update((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module] = None
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(reversed(node.orelse))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            parts = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
            stack.extend(reversed([stmt for part in parts for stmt in part]))
    return list(found)


def installed(names: Iterable[str], path: Sequence[str] | None = None) -> list[str]:
    """Those of the modules that belong to an installed package, found without importing them.

    Modules of the standard library are left out, and so are the user's own: their code must
    not run in the fork server.
    """
    entries = sys.path if path is None else path
    sites = [entry for entry in entries if Path(entry).name in ("site-packages", "dist-packages")]
    found = []
    for name in names:
        root = name.partition(".")[0]
        if root == "kalelite" or root in sys.stdlib_module_names:
            continue
        if PathFinder.find_spec(root, sites) is not None and not _shadowed(root, entries):
            found.append(name)
    return found


def _shadowed(root: str, entries: Sequence[str]) -> bool:
    """Whether a module beside the script hides the installed one."""
    spec = PathFinder.find_spec(root, list(entries))
    return spec is None or not any(
        Path(part).name in ("site-packages", "dist-packages")
        for part in Path(
            spec.origin or next(iter(spec.submodule_search_locations or ["."]))
        ).parents
    )
