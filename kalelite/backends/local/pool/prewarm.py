"""A fork server that is ready before it is needed: it imports while the script still does."""

from __future__ import annotations

import atexit
import sys
import types
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kalelite.backends.local.pool.client import ForkServer
from kalelite.backends.local.pool.script_imports import imports_of, installed

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan

__all__ = ["cool", "give_back", "prewarm", "take", "used_by"]

_ready: list[ForkServer] = []


def prewarm(source: str, path: Sequence[str] | None = None) -> None:
    """Start the fork server, and have it import the installed packages that a script imports.

    Parameters
    ----------
    source
        The script's text.
    path
        ``sys.path`` as the script will have it, if that is not this process's own.
    """
    if not _ready:
        _ready.append(ForkServer(installed(imports_of(source), path), path))


def take(modules: Sequence[str]) -> ForkServer:
    """The warm server, or else a new one, with the modules imported too."""
    while _ready:
        server = _ready.pop()
        if server.fit:
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
        found += [
            name for name in names if name.startswith(("kalelite.plan.", "kalelite.authoring."))
        ]
    return found


def _homes(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            home = value.__module__
            if isinstance(home, str):
                yield home
