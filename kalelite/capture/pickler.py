"""Pickles of user code, in which everything that has a name elsewhere is referred to by name.

What differs from process to process, or does nothing when it runs, stands aside of the pickle: it
travels with it and has no part, or another one, in its digest.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import io
import marshal
import pickle
import sys
import threading
import weakref
from collections import ChainMap
from enum import Enum
from logging import Logger
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from kalelite.blake import hashed
from kalelite.capture import rebuild
from kalelite.capture.bytecode import codes, is_class, of_cell, references, resolve_import
from kalelite.capture.class_parts import reduced_class, reduced_member
from kalelite.capture.edited_modules import is_edited
from kalelite.capture.hidden_names import OWN_NAMES, hidden_names, public
from kalelite.capture.load import Name
from kalelite.capture.namespaces import Space, World, importable
from kalelite.capture.pickled import Aside, Pickled, Sink, TooLargeError
from kalelite.frozen import frozen

_ATOMS: frozenset[type] = frozenset(
    {int, float, complex, bool, str, bytes, type(None), tuple, range, slice, CodeType}
)
_LARGE_ITEM = 10_000
"""Items of a set with a pickle above this, in bytes, are not sorted."""
_SORTABLE = frozenset({str, bytes, int, float})


def _weak_dict(value: Any) -> tuple[Any, ...]:
    return type(value), (dict(value.items()),)


def _thread_local(value: Any) -> tuple[Any, ...]:
    # What this thread sees, which is the one that the script runs in.
    return type(value), (), dict(vars(value))


def _cell(value: Any) -> tuple[Any, ...]:
    # Empty at first: functions share cells, and a cell may hold the function that closes over it.
    return rebuild.new_cell, ()


_TABLE: ChainMap[Any, Any] = ChainMap(
    {
        CellType: _cell,
        threading.local: _thread_local,
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


def _is_plain(value: Any) -> bool:
    """True if nothing in it can lead back to what holds it."""
    if type(value) in {tuple, frozenset}:
        return all(map(_is_plain, value))
    return type(value) in _ATOMS


@frozen
class _Globals:
    """Stands for the globals of a namespace, or of an importable module."""

    space: str | None
    module: str


class _Pickler(pickle.Pickler):
    dispatch_table = _TABLE

    def __init__(
        self,
        sink: Sink,
        world: World,
        group: frozenset[Name],
        out: Pickled,
        sorting: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(sink, protocol=5)
        self._sink = sink
        self._world = world
        self._group = group
        self._out = out
        self._sorting = sorting
        self._sets: dict[int, int] = {}
        self._documented: set[CodeType] = set()

    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in _ATOMS:
            return self._text(obj) if kind is str and obj[-9:].isdigit() else None
        if kind is Aside:
            self._out.asides.append(obj)
            return ("aside", len(self._out.asides) - 1)
        if kind is _Globals:
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
        if kind is set or (kind is frozenset and _is_plain(obj)):
            return self._set(obj)
        return None

    def _text(self, obj: str) -> Any:
        """Pydantic names a class by its address, which differs from process to process."""
        name, _, number = obj.rpartition(":")
        if not number.isdecimal() or not self._world.has_address(int(number)):
            return None
        self._out.asides.append(Aside(obj, counts=name.encode("utf-8", "surrogatepass")))
        return ("aside", len(self._out.asides) - 1)

    def _set(self, obj: set[Any] | frozenset[Any]) -> Any:
        """A set in an order that does not depend on the hash seed; the same set once only."""
        if id(obj) in self._sets:
            return ("set", self._sets[id(obj)])
        number = self._sets[id(obj)] = len(self._sets)
        self._out.shared.append(obj)  # its id names it as long as it lives
        items = list(obj)
        if all(type(item) in _SORTABLE for item in items):
            items.sort(key=lambda item: (type(item).__name__, item))
        elif id(obj) not in self._sorting:
            inside = self._sorting | {id(obj)}
            items.sort(key=lambda item: self._content(item, inside))
        return ("set", number, items, type(obj) is frozenset)

    def _content(self, item: Any, sorting: frozenset[int]) -> bytes:
        """The pickle of an item, empty if it is large: each may lead to all the others."""
        sink = Sink(_LARGE_ITEM)
        try:
            _Pickler(sink, self._world, self._group, Pickled(), sorting).dump(item)
        except (TooLargeError, RecursionError):
            return b""
        return sink.getvalue()

    def _module(self, module: ModuleType) -> Any:
        space = self._world.by_dict(module.__dict__)
        if space is None and sys.modules.get(module.__name__) is not module:
            space = self._world.space(module.__dict__)
        if is_edited(module.__name__) and (space := self._world.space(module.__dict__)):
            self._out.maybe |= dict.fromkeys((space.key, name) for name in public(space.values))
        elif space is not None and space.key != "__main__":
            raise pickle.PicklingError(f"the module {module.__name__!r} was made by hand")
        self._out.modules.add(module.__name__)
        self._out.held.add(module.__name__)
        return ("module", module.__name__)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType):
            return self._function(obj)
        if is_class(obj):
            if self._imported(obj) is not None:
                return NotImplemented
            own = self._world.path(obj)
            if own is None or "." in own[1]:
                return reduced_class(obj, None, None)
            return reduced_class(obj, _Globals(own[0], obj.__module__), own[1])
        if isinstance(obj, CodeType):
            return self._code(obj)
        if isinstance(obj, Enum) and self._imported(type(obj)) is None:
            return reduced_member(obj)
        function = rebuild.plain(obj)
        if function is not obj:
            name = self._imported(function)
            return (rebuild.resolve, name) if name else (rebuild.plain, (function,))
        if isinstance(obj, functools._lru_cache_wrapper):
            return NotImplemented if self._imported(obj) else _lru_cache(obj)
        if isinstance(obj, io.IOBase) and obj not in {sys.stdout, sys.stderr}:
            raise pickle.PicklingError("an open file stays where it was opened")
        if isinstance(obj, functools.cached_property):  # it holds a lock before Python 3.12
            return functools.cached_property, (obj.func,), (None, {"attrname": obj.attrname})
        if (reduced := self._of_library(obj)) is not None:
            return reduced
        if isinstance(obj, Path):
            self._out.paths.append(obj)
        self._out.holds_values = True
        if isinstance(type(obj).__reduce__, FunctionType) and type(obj) not in _TABLE:
            return self._own_name(obj)
        for module in (getattr(obj, "__module__", None), type(obj).__module__):
            if isinstance(module, str):
                self._out.modules.add(module)
        return NotImplemented

    def _own_name(self, obj: Any) -> Any:
        """As the object says; one that says its name in the script is made again there."""
        reduced = obj.__reduce_ex__(5)
        module = sys.modules.get(getattr(obj, "__module__", None) or "")
        if not isinstance(reduced, str) or module is None:
            return reduced
        if self._world.by_dict(module.__dict__) is None:
            return reduced
        return copyreg.__newobj__, (type(obj),), getattr(obj, "__dict__", None)  # type: ignore[attr-defined]

    def _of_library(self, obj: Any) -> Any:
        """How objects of some libraries are pickled whose own way is of no use here."""
        if type(obj).__name__ == "ValidateCallWrapper" and hasattr(obj, "config_wrapper"):
            given = (type(obj), obj.function, obj.config_wrapper.config_dict, obj.validate_return)
            return rebuild.validated, given  # pydantic's own pickle cannot be loaded
        if isinstance(
            obj, contextlib._GeneratorContextManager
        ):  # as a decorator: it makes itself anew
            return type(obj), (obj.func, obj.args, obj.kwds)
        library = str(type(obj).__module__).partition(".")[0]
        if library == "numba" and hasattr(obj, "py_func"):
            # Its own way is one opaque text, with line numbers, and an id that is never the same.
            states = {**obj._reduce_states()}
            del states["uuid"]
            return rebuild.compiled, (type(obj), states)
        if library == "torch" and type(obj).__name__.endswith("Storage"):
            load, (data,) = obj.__reduce__()  # which has the storage's address in it
            self._sink.take(len(data))
            content = bytes(getattr(obj, "_untyped_storage", obj).cpu())
            return load, (Aside(data, counts=hashed(content)),)
        return None

    def _imported(self, value: Any) -> Name | None:
        """The name by which a function or class is imported where it is loaded, if it can be."""
        name = importable(value)
        if name is not None:
            self._out.modules.add(name[0])
            self._out.mentioned.add(name[1].partition(".")[0])
        return name

    def _code(self, code: CodeType) -> Any:
        try:
            # Version 2 has no back-references, so the bytes do not depend on what else is alive.
            data = marshal.dumps(of_cell(code), 2)
        except ValueError:
            return NotImplemented
        self._sink.take(len(data))
        aside = Aside(data, code, documented=code in self._documented)
        return rebuild.load_code, (aside,)

    # --- functions ---------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> Any:
        name = self._imported(function)
        if name is not None:
            found = getattr(sys.modules[name[0]], name[1].partition(".")[0], None)
            return NotImplemented if rebuild.plain(found) is found else (rebuild.resolve, name)
        space = self._world.space(function.__globals__)
        own = self._world.path(function)
        home = _Globals(space.key if space else None, str(function.__globals__.get("__name__")))
        top = own[1] if own and own[0] == home.space and "." not in own[1] else None
        if own is None and "<" not in function.__qualname__:
            # A decorator has it, which may make use of the docstring.
            self._documented.add(function.__code__)
        self._note(function.__code__, space, function)
        arguments = (home, top, function.__code__, function.__closure__)
        state = self._function_state(function)
        return rebuild.define_function, arguments, state, None, None, rebuild.fill_function

    def _note(self, code: CodeType, space: Space | None, function: FunctionType) -> None:
        """Note what the code looks up and imports when it runs."""
        self._out.files.update(nested.co_filename for nested in codes(code))
        found = references(code)
        if space is None:
            self._out.modules.add(str(function.__globals__.get("__name__")))
        else:
            for name in found.globals:
                if name in space.values and name not in OWN_NAMES:
                    self._out.needs.setdefault((space.key, name), code)
            for name in hidden_names(found, space.values):
                self._out.maybe.setdefault((space.key, name), code)
        package = function.__globals__.get("__package__")
        for item in found.imports:
            base, *inside = resolve_import(item, package if isinstance(package, str) else "")
            self._out.modules.update((base, *inside))
            # What a statement binds is a local variable, which may go anywhere.
            self._out.held.update(inside or (base,))

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
            "__dict__": dict(function.__dict__),
            "cells": tuple(map(_content, function.__closure__ or ())),
            "imports": self._submodules(function),
        }
        state |= {key: value for key, value in optional.items() if value}
        if function.__doc__ != _docstring(function):
            state["__doc__"] = function.__doc__
        return state

    def _submodules(self, function: FunctionType) -> list[str]:
        """Submodules used as ``package.module.name``: someone has to import them again."""
        code = function.__code__
        found: set[str] = set()
        values = [function.__globals__.get(name) for name in references(code).globals]
        used = {name for nested in codes(code) for name in nested.co_names}
        for value in values:
            if isinstance(value, ModuleType) and hasattr(value, "__path__"):
                prefix = f"{value.__name__}."
                found.update(
                    name
                    for name in list(sys.modules)
                    if name.startswith(prefix) and used.issuperset(name[len(prefix) :].split("."))
                )
        self._out.modules |= found
        return sorted(found)


def _docstring(function: FunctionType) -> str | None:
    """The docstring that the code alone gives a function."""
    return FunctionType(function.__code__, {}, None, None, function.__closure__).__doc__


def _content(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _lru_cache(wrapper: Any) -> Any:
    parameters = wrapper.cache_parameters()
    return rebuild.cached, (wrapper.__wrapped__, parameters["maxsize"], parameters["typed"])


def pickled(
    value: Any, world: World, *, group: frozenset[Name] = frozenset(), limit: int = sys.maxsize
) -> Pickled:
    """Pickle a value; the names of ``group`` are in it by value, all others by name.

    Raises `TooLargeError` if the pickle is larger than ``limit`` bytes; `Exception`: whatever an
    object's own reduction raises.
    """
    out = Pickled()
    sink = Sink(limit)
    try:
        _Pickler(sink, world, group, out).dump(value)
    except RecursionError as error:
        raise pickle.PicklingError("it is nested too deeply") from error
    out.stream = sink.getvalue()
    return out
