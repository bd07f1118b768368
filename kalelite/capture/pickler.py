"""Pickles of user code, in which everything that has a name elsewhere is referred to by name."""

from __future__ import annotations

import functools
import io
import marshal
import pickle
import sys
import types
import weakref
from collections import ChainMap
from dataclasses import dataclass
from enum import Enum
from logging import Logger
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from kalelite.capture import rebuild
from kalelite.capture.fingerprint import fingerprint
from kalelite.capture.leaf_digests import content
from kalelite.capture.load import Name
from kalelite.capture.namespaces import Space, World, importable
from kalelite.capture.references import codes, global_names, imports, is_class, resolve_import

__all__ = ["Pickled", "TooLargeError", "pickled"]

_ATOMS: frozenset[type] = frozenset(
    {int, float, complex, bool, str, bytes, type(None), tuple, frozenset, range, slice, CodeType}
)


_SORTABLE = frozenset({str, bytes, int, float})


class TooLargeError(Exception):
    """The pickle grew over the limit."""


class _Sink(io.BytesIO):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > self._limit:
            raise TooLargeError
        return super().write(data)


class Pickled:
    """A pickle and what it leans on.

    ``refs`` are names that have to exist before it can be loaded, ``needs`` are names that its
    functions look up when they run, ``shared`` are the objects in it whose identity counts.
    """

    __slots__ = ("data", "files", "needs", "refs", "shared")

    def __init__(self) -> None:
        self.data = b""
        self.refs: dict[Name, None] = {}
        self.needs: dict[Name, CodeType] = {}
        self.files: set[str] = set()
        self.shared: list[Any] = []


def _weak_dict(value: Any) -> tuple[Any, ...]:
    return type(value), (dict(value.items()),)


def _cell(value: Any) -> tuple[Any, ...]:  # noqa: ARG001 - a reducer takes the object
    # Empty at first: functions share cells, and a cell may hold the function that closes over it.
    return rebuild.new_cell, ()


def _code(value: CodeType) -> Any:
    try:
        # Version 2 has no back-references, so the bytes do not depend on what else is alive.
        return rebuild.load_code, (marshal.dumps(value, 2),)
    except ValueError:
        return cloudpickle.Pickler.dispatch_table[CodeType](value)


_TABLE: ChainMap[Any, Any] = ChainMap(
    {
        CellType: _cell,
        CodeType: _code,
        weakref.WeakKeyDictionary: _weak_dict,
        weakref.WeakValueDictionary: _weak_dict,
    },
    cloudpickle.Pickler.dispatch_table,
)


def _has_identity(value: Any) -> bool:
    """True if it matters whether two globals hold the same one of it."""
    kind = type(value)
    if isinstance(value, type | FunctionType | ModuleType | Enum | Logger):
        return False
    if kind.__module__ == "builtins":
        return kind.__hash__ is None
    equality = next(cls for cls in kind.__mro__ if "__eq__" in vars(cls))
    return kind.__hash__ is None or equality is object or hasattr(value, "__dict__")


@dataclass(frozen=True, slots=True)
class _Globals:
    """Stands for the globals of a namespace, or of an importable module."""

    space: str | None
    module: str


def _tracker(cls: type) -> str:
    # By this, cloudpickle knows a class that comes twice into one process: with the code, and
    # within a value that a step has pickled by value, such as a lambda.
    return f"{cls.__module__}.{cls.__qualname__}:{fingerprint(cls)}"


class _Pickler(pickle.Pickler):
    dispatch_table = _TABLE

    def __init__(
        self, sink: io.BytesIO, world: World, group: frozenset[Name], out: Pickled
    ) -> None:
        super().__init__(sink, protocol=5)
        self._world = world
        self._group = group
        self._out = out
        self._sets: dict[int, int] = {}
        self._sets_written = 0

    def persistent_id(self, obj: Any) -> Any:  # noqa: PLR0911 - one line for each kind
        if type(obj) in _ATOMS:
            return None
        if isinstance(obj, _Globals):
            return ("globals", obj.space) if obj.space else ("dict", obj.module)
        where = self._world.path(obj)
        if where is not None:
            root = (where[0], where[1].partition(".")[0])
            if root in self._group:
                return None
            self._out.refs[root] = None
            return ("name", *where)
        if isinstance(obj, ModuleType):
            return self._module(obj)
        if _has_identity(obj):
            self._out.shared.append(obj)
        if type(obj) is set and obj and all(type(item) in _SORTABLE for item in obj):
            return self._set(obj)
        return None

    def _set(self, obj: set[Any]) -> Any:
        """A set in an order that does not depend on the hash seed; the same set once only."""
        number = self._sets.setdefault(id(obj), len(self._sets))
        if number < self._sets_written:
            return ("set", number)
        self._sets_written += 1
        self._out.shared.append(obj)
        return ("set", number, sorted(obj, key=lambda item: (type(item).__name__, item)))

    def _module(self, module: ModuleType) -> Any:
        space = self._world.by_dict(module.__dict__)
        if space is None and sys.modules.get(module.__name__) is not module:
            space = self._world.space(module.__dict__)
        if space is not None and space.key != "__main__":
            raise pickle.PicklingError(f"the module {module.__name__!r} was made by hand")
        self._world.reach(module.__name__)
        return ("module", module.__name__)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType):
            return self._function(obj)
        if is_class(obj):
            return self._class(obj)
        function = rebuild.plain(obj)
        if function is not obj:
            name = importable(function)
            return (rebuild.resolve, self._reached(name)) if name else (rebuild.plain, (function,))
        if isinstance(obj, functools._lru_cache_wrapper):  # noqa: SLF001 - it has no public name
            return self._lru_cache(obj)
        if isinstance(obj, io.IOBase) and obj not in {sys.stdout, sys.stderr}:
            raise pickle.PicklingError("an open file stays where it was opened")
        if isinstance(obj, functools.cached_property):  # it holds a lock before Python 3.12
            return functools.cached_property, (obj.func,), (None, {"attrname": obj.attrname})
        module = getattr(obj, "__module__", None)
        if isinstance(obj, types.BuiltinFunctionType) and isinstance(module, str):
            self._world.reach(module)
        return NotImplemented

    def _reached(self, name: Name) -> Name:
        self._world.reach(name[0])
        return name

    def _lru_cache(self, obj: Any) -> Any:
        if importable(obj):
            self._world.reach(obj.__module__)
            return NotImplemented
        parameters = obj.cache_parameters()
        return rebuild.cached, (obj.__wrapped__, parameters["maxsize"], parameters["typed"])

    # --- functions ---------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> Any:
        name = importable(function)
        if name is not None:
            self._world.reach(name[0])
            found = getattr(sys.modules[name[0]], name[1].partition(".")[0], None)
            return NotImplemented if rebuild.plain(found) is found else (rebuild.resolve, name)
        space = self._world.space(function.__globals__)
        own = self._world.path(function)
        home = _Globals(space.key if space else None, str(function.__globals__.get("__name__")))
        top = own[1] if own and own[0] == home.space and "." not in own[1] else None
        self._note(function.__code__, space, function)
        arguments = (home, top, function.__code__, function.__closure__)
        state = self._function_state(function)
        return rebuild.define_function, arguments, state, None, None, rebuild.fill_function

    def _note(self, code: CodeType, space: Space | None, function: FunctionType) -> None:
        """Note what the code looks up and imports when it runs."""
        self._out.files.update(nested.co_filename for nested in codes(code))
        if space is None:
            self._world.reach(str(function.__globals__.get("__name__")))
        else:
            for name in global_names(code):
                if name in space.values and not name.startswith("__"):
                    self._out.needs.setdefault((space.key, name), code)
        package = function.__globals__.get("__package__")
        for item in imports(code):
            for module in resolve_import(item, package if isinstance(package, str) else ""):
                self._world.reach(module)

    def _function_state(self, function: FunctionType) -> dict[str, Any]:
        state: dict[str, Any] = {
            "__name__": function.__name__,
            "__qualname__": function.__qualname__,
            "__module__": function.__module__,
        }
        optional = {
            "__defaults__": function.__defaults__,
            "__kwdefaults__": function.__kwdefaults__,
            "__annotations__": function.__annotations__,
            "__doc__": function.__doc__,
            "__dict__": dict(function.__dict__),
            "cells": tuple(map(content, function.__closure__ or ())),
            "imports": self._submodules(function),
        }
        return state | {key: value for key, value in optional.items() if value}

    def _submodules(self, function: FunctionType) -> list[str]:
        """Submodules used as ``package.module.name``: someone has to import them again."""
        code = function.__code__
        found = []
        values = [function.__globals__.get(name) for name in global_names(code)]
        used = {name for nested in codes(code) for name in nested.co_names}
        for value in values:
            if isinstance(value, ModuleType) and hasattr(value, "__path__"):
                prefix = f"{value.__name__}."
                found += [
                    name
                    for name in list(sys.modules)
                    if name.startswith(prefix) and used.issuperset(name[len(prefix) :].split("."))
                ]
        for name in found:
            self._world.reach(name)
        return sorted(set(found))

    # --- classes -----------------------------------------------------------------------------

    def _class(self, cls: type) -> Any:
        if importable(cls) is not None:
            self._world.reach(cls.__module__)
            return NotImplemented
        reduced = cloudpickle._class_reduce(cls)  # noqa: SLF001 - pinned by tests
        if reduced is NotImplemented:
            reduced = cloudpickle._dynamic_class_reduce(cls)  # noqa: SLF001 - as above
        if len(reduced) != 6:
            return reduced
        make, arguments, *rest = reduced
        own = self._world.path(cls)
        *shape, _, extra = arguments
        if own is None or "." in own[1]:
            where, name = None, cls.__name__
        else:
            where, name = _Globals(own[0], cls.__module__), own[1]
        tracker = self._world.remember(cls, _tracker)
        arguments = (where, name, cls.__qualname__, make, *shape, tracker, extra)
        return (rebuild.define_class, arguments, *rest)


def pickled(
    value: Any, world: World, *, group: frozenset[Name] = frozenset(), limit: int = sys.maxsize
) -> Pickled:
    """Pickle a value; the names of ``group`` are in it by value, all others by name.

    Raises
    ------
    TooLargeError
        if the pickle is larger than ``limit`` bytes.
    Exception
        whatever an object's own reduction raises.
    """
    out = Pickled()
    sink = _Sink(limit)
    try:
        _Pickler(sink, world, group, out).dump(value)
    except RecursionError as error:
        raise pickle.PicklingError("it is nested too deeply") from error
    out.data = sink.getvalue()
    return out
