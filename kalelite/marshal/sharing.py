"""What several values hold in common: those that share a mutable part are stored as one.

A value that is stored so is referred to as a part of the whole: see `part_of`.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import gc
import os
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from kalelite.errors import UnmarshallableError
from kalelite.marshal.manifest import part_of

_ATOMS = frozenset(
    {
        *(
            bool,
            int,
            float,
            complex,
            str,
            bytes,
            range,
            type(None),
            type(...),
            type(NotImplemented),
        ),
        *(types.ModuleType, types.CodeType, types.FrameType, types.BuiltinFunctionType),
        *(weakref.ReferenceType, types.GetSetDescriptorType, types.MemberDescriptorType),
    }
)
_FROZEN = frozenset({tuple, frozenset, types.FunctionType, types.MethodType})
"""They cannot be changed, and are looked into."""

_IMMUTABLE_MODULES = frozenset(
    {"datetime", "decimal", "fractions", "uuid", "pathlib", "re", "zoneinfo", "pytz", "pyarrow"}
)
_IMMUTABLE = frozenset(
    {
        *("numpy.dtype", "numpy.generic", "logging.Logger", "torch.dtype", "torch.device"),
        *("pandas.Index", "pandas.ExtensionDtype", "pandas.NAType"),
        *("pandas.BlockPlacement", "pandas.BlockValuesRefs"),
    }
)
"""Classes, by the root of their module, whose instances are shared far and wide, and never changed."""


class _Store(Protocol):
    def save(self, value: Any, *, name: str = ...) -> str: ...

    def load(self, reference: str) -> Any: ...


class SharedSaves:
    """Saves the values of one call, which have names that errors call them."""

    def __init__(self, store: _Store, values: Mapping[str, Any]) -> None:
        self._store = store
        self._values = values
        self._groups = {name: group for group in _groups(values) for name in group}
        self._saved: dict[str, str] = {}

    def save(self, name: str) -> str:
        """The reference to one of the values."""
        group = self._groups.get(name)
        if group is None:
            return self._store.save(self._values[name], name=name)
        if group[0] not in self._saved:
            self._saved[group[0]] = self._save_together(group)
        return f"{self._saved[group[0]]}.{group.index(name)}"

    def _save_together(self, names: Sequence[str]) -> str:
        try:
            together = tuple(self._values[name] for name in names)
            return self._store.save(together, name=" and ".join(names))
        except UnmarshallableError:
            for name in names:  # the one that cannot be saved says so better by itself
                self._store.save(self._values[name], name=name)
            raise


class SharedLoads:
    """Loads values for one use: a value is one object there, and what it shares is shared."""

    def __init__(self, store: _Store) -> None:
        self._store = store
        self._loaded: dict[tuple[str, str], Any] = {}

    def load(self, reference: str, origin: str = "") -> Any:
        """The value of a reference; raises what the store raises.

        ``origin`` is the output that it is, as ``make[2].model``: equal values of two outputs
        are two objects, unless they were stored together.
        """
        whole, part = part_of(reference)
        key = whole, origin.rpartition(".")[0] if part else origin
        if key not in self._loaded:
            self._loaded[key] = self._store.load(whole)
        value = self._loaded[key]
        return value[part[0]] if part else value


def _groups(values: Mapping[str, Any]) -> list[list[str]]:
    """The names of values that share a mutable part or a folder, directly or by way of others."""
    found = {name: value for name, value in values.items() if type(value) not in _ATOMS}
    if len(found) < 2:
        return []
    groups: list[tuple[list[str], set[Any], set[Any]]] = []
    alive: list[Any] = []  # or an id could be that of another object in the next value
    for name, value in found.items():
        parts = set(_mutable_parts(value, alive))
        around = parts.union(*(part.parents for part in parts if isinstance(part, Path)))
        others = [
            group
            for group in groups
            if not (group[1].isdisjoint(around) and group[2].isdisjoint(parts))
        ]
        groups = [group for group in groups if group not in others]
        names = [*(each for group in others for each in group[0]), name]
        parts.update(*(group[1] for group in others))
        groups.append((names, parts, around.union(*(group[2] for group in others))))
    return [names for names, *_ in groups if len(names) > 1]


def _mutable_parts(value: Any, alive: list[Any]) -> Iterator[int | Path]:
    """The files, and the ids of mutable objects, that a value holds as a garbage collector sees."""
    seen: set[int] = set()
    level = [value]
    while level:
        if {*map(type, level)} <= _ATOMS:
            return
        fresh = {}
        for item in level:
            cls = type(item)
            if cls in _ATOMS or id(item) in seen:
                continue
            if isinstance(item, Path) and os.path.exists(item):
                yield item.absolute()
            if _is_immutable(cls):  # type: ignore[arg-type]
                continue
            fresh[id(item)] = item
        seen.update(fresh)
        alive.extend(fresh.values())
        yield from (id(item) for item in fresh.values() if type(item) not in _FROZEN)
        level = _inside(fresh.values())


def _inside(items: Iterable[Any]) -> list[Any]:
    """What objects hold. A function's globals are not its own."""
    plain: list[Any] = []
    found: list[Any] = []
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    for item in items:
        cls = type(item)
        if cls is types.FunctionType:
            own = (item.__closure__, item.__defaults__, item.__kwdefaults__, item.__dict__)
            found += [part for part in own if part]
        elif numpy is not None and issubclass(cls, numpy.ndarray):
            plain.append(item)
            if item.dtype.hasobject:
                found += item.ravel().tolist()
        elif torch is not None and issubclass(cls, torch.Tensor):
            plain.append(item)
            with contextlib.suppress(RuntimeError):  # a kind of tensor without
                found.append(item.untyped_storage())
        else:
            plain.append(item)
    return found + gc.get_referents(*plain)


@functools.lru_cache(maxsize=4096)
def _is_immutable(cls: Any) -> bool:
    """Whether instances of a class cannot change, or go by name."""
    if issubclass(cls, type | enum.Enum):
        return True
    roots = {base: base.__module__.partition(".")[0] for base in cls.__mro__}
    names = {f"{root}.{base.__qualname__}" for base, root in roots.items()}
    return not (names.isdisjoint(_IMMUTABLE) and _IMMUTABLE_MODULES.isdisjoint(roots.values()))
