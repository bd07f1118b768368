"""The installed packages that a step's code imports, as far as the code itself tells."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from kalelite.capture import modules
from kalelite.capture.names import global_names, imports, is_class, resolve_import
from kalelite.capture.rebuild import plain
from kalelite.capture.world import importable

__all__ = ["packages_of"]

_TRAVEL = frozenset({"kalelite", "cloudpickle", "__main__", "__mp_main__"})
_MANY = 20_000
"""Objects that are looked at: data hold few packages, and may be large."""


def packages_of(function: Callable[..., Any]) -> list[str]:
    """The packages that a step needs where it runs, by the names under which they are imported.

    Told are imports in the function, in the functions and classes that it reaches by value and in
    the local modules that it reaches; not the packages that only its inputs or those packages
    need. The standard library is no package.
    """
    found: set[str] = set()
    seen: dict[int, Any] = {}
    stack: list[Any] = [function]
    while stack and len(seen) < _MANY:
        value = plain(stack.pop())
        if id(value) in seen:
            continue
        # An id names an object only as long as the object lives.
        seen[id(value)] = value
        home = _home(value)
        if home is None:
            stack.extend(_below(value, found))
        elif modules.is_local(home):
            stack.extend(_module(home))
            if not isinstance(value, ModuleType):
                stack.extend(_below(value, found))
        else:
            found.add(home)
    # What begins with an underscore belongs to another package, which is imported as well.
    roots = {name.partition(".")[0] for name in found if not name.startswith("_")}
    return sorted(roots - _TRAVEL - sys.stdlib_module_names)


def _home(value: Any) -> str | None:
    """The module that a module, function or class is imported from; None if it travels by value."""
    if isinstance(value, ModuleType):
        return value.__name__
    name = importable(value) if is_class(value) or callable(value) else None
    return name[0] if name is not None else None


def _below(value: Any, found: set[str]) -> Iterator[Any]:
    """What the code, or an object, reaches; imports in the code are found at once."""
    if isinstance(value, FunctionType):
        package = value.__globals__.get("__package__") or ""
        for item in imports(value.__code__):
            name = resolve_import(item, package)[:1]
            if name and modules.is_local(name[0]):
                yield from _module(name[0])
            else:
                found.update(name)
        names = global_names(value.__code__)
        yield from (value.__globals__[name] for name in names if name in value.__globals__)
        yield from (cell.cell_contents for cell in value.__closure__ or () if _is_full(cell))
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
    elif is_class(value):
        yield from value.__bases__
        methods = (staticmethod, classmethod)
        items = list(vars(value).values())
        yield from (item.__func__ if isinstance(item, methods) else item for item in items)
    elif type(value) in {list, tuple, set, frozenset}:
        yield from itertools.islice(value, _MANY)
    elif type(value) is dict:
        yield from itertools.islice(value.values(), _MANY)
    elif not isinstance(value, ModuleType):
        yield type(value)


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _module(name: str) -> Iterator[Any]:
    """What a local module holds once it has been imported."""
    module = sys.modules.get(name)
    if module is not None:
        yield from (
            value
            for value in list(vars(module).values())
            if isinstance(value, ModuleType)
            or getattr(value, "__module__", name) not in (name, None)
        )
