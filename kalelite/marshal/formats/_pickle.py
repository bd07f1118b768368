"""Any other value: pickle protocol 5 with its buffers beside it, then cloudpickle, then dill.

Frame 0 is the pickle, the others are the buffers that numpy and others hand over without a
copy. Values of classes that a reducer is registered for are saved by it wherever they stand in
the value, and the pickler's memo keeps identity within one value.

A class or function of a script (``__main__``) is not to be found by name in another process,
so a pickle that mentions such a module is made by cloudpickle, by value.

Objects that come back by code of their own are noted while they are pickled. A second pickle with
the same memo, the *tail*, is a list of them: read after the first, it says what became of each.
It is looked at when the value is saved, and not stored.
"""

from __future__ import annotations

import _thread
import copyreg
import functools
import io
import operator
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kalelite.marshal.own import rebuilds_itself, root_of
from kalelite.marshal.readback import Witness
from kalelite.marshal.registry import (
    Buffer,
    Format,
    Frame,
    reducer_of,
    register,
)

__all__ = ["CloudPickle", "Dill", "Pickle", "by_value_modules"]

_IN_BAND = 1024
"""Buffers smaller than this stay in the pickle: a frame costs more than a copy."""

_reduce_5: Callable[[Any], Any] = operator.methodcaller("__reduce_ex__", 5)

_BOUND = (
    _thread.LockType,
    _thread.RLock,
    io.TextIOWrapper,
    io.BufferedReader,
    io.BufferedWriter,
    io.BufferedRandom,
    io.FileIO,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
    weakref.ReferenceType,
)


def _is_bound(cls: type) -> bool:
    """Whether it cannot leave its process, though cloudpickle or dill would send something else."""
    return issubclass(cls, _BOUND) or any(base.__module__ == "threading" for base in cls.__mro__)


def _refuse(value: Any) -> Any:
    raise pickle.PicklingError(f"a {type(value).__qualname__} cannot leave its process")


class _Table(dict[type, Callable[[Any], Any]]):
    """How to reduce an instance of a class; filled while pickling, so it tells what was met.

    `own` has the objects whose reduction is code of their own, that code, and what it gave.
    """

    def __init__(self, fallback: Mapping[type, Callable[[Any], Any]]) -> None:
        super().__init__()
        self.fallback = fallback
        self.own: list[tuple[Any, Callable[[Any], Any], tuple[Any, ...]]] = []

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        if issubclass(cls, type):
            raise KeyError(cls)  # classes go by name
        found: Callable[[Any], Any] | None = reducer_of(cls)
        if found is not None:
            found = self._reducer(cls, found)
        elif _is_bound(cls):
            found = _refuse
        else:
            found = self._usual(cls)
        self[cls] = found
        return found

    def _reducer(self, cls: type, reducer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """One that was registered; those of this package keep what is of their library."""
        package, _, module = reducer.__module__.rpartition(".")
        ours = package == __package__
        usual = self._usual(cls, module.lstrip("_") if ours else "")
        noted = reducer if ours else self._noting(reducer)

        def reduce(value: Any) -> Any:
            reduced = noted(value)
            return usual(value) if reduced is NotImplemented else reduced

        return reduce

    def _usual(self, cls: type, trusted: str = "") -> Callable[[Any], Any]:
        """What `copyreg` or the class itself says."""
        known = self.fallback.get(cls)
        own = rebuilds_itself(cls, trusted) if known is None else not _is_pythons(known)
        reducer = known or _reduce_5
        return self._noting(reducer) if own else reducer

    def _noting(self, reducer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        own = self.own  # not the table, which would then wait for the garbage collector

        def reduce(value: Any) -> Any:
            reduced = reducer(value)
            if type(reduced) is tuple:
                own.append((value, reducer, reduced))
            return reduced

        return reduce

    def get(self, cls: type, default: Any = None) -> Any:  # what the pickler in Python asks
        try:
            return self[cls]
        except KeyError:
            return default


def _is_pythons(reducer: Callable[[Any], Any]) -> bool:
    return root_of(reducer) in {"copyreg", "cloudpickle", "dill", *sys.stdlib_module_names}


class _Pieces:
    """A file to write to that keeps what it is given, without copying large pieces together."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self.pieces.append(data if type(data) is bytes else bytes(data))
        return len(data)


def by_value_modules() -> set[str]:
    """Modules whose classes and functions travel by value: the script, and what the user says.

    Not in a step: there, a stand-in for ``__main__`` made by capture holds the script's classes,
    every other step has it too, and so a class is the same class in all of them.
    """
    names = set()
    if not type(sys.modules["__main__"]).__module__.startswith("kalelite."):
        names.add("__main__")
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is not None:
        names |= set(cloudpickle.list_registry_pickle_by_value())
    return names


class Pickle(Format):
    """The standard library's pickler."""

    encoding = "pickle/1"
    suffix = ".pickle"
    data_only = False

    def claims(self, value: Any) -> bool:
        del value
        return True  # dump tells

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        """As every format.

        Raises
        ------
        Exception
            Whatever the value's own reduction raises.
        """
        stream = _Pieces()
        buffers: list[Buffer] = []

        def out_of_band(buffer: pickle.PickleBuffer) -> bool:
            with buffer.raw() as raw:
                small = raw.nbytes < _IN_BAND
            if not small:
                buffers.append(buffer)
            return small

        pickler, table = self._pickler(stream, out_of_band)
        pickler.dump(value)
        frame = stream.pieces
        self._allow(frame)
        header: dict[str, Any] = {"libraries": sorted(_roots(table))}
        if table.own:
            tail = stream.pieces = []
            pickler.dump([part for part, *_ in table.own])
            header["witness"] = Witness(table.own, b"".join(tail))
        return header, [frame, *buffers]

    def _pickler(self, stream: Any, out_of_band: Callable[[Any], bool]) -> tuple[Any, _Table]:
        pickler = pickle.Pickler(stream, 5, buffer_callback=out_of_band)
        pickler.dispatch_table = table = _Table(copyreg.dispatch_table)
        return pickler, table

    def _allow(self, pieces: Sequence[bytes]) -> None:
        """Refuse what only pickles by value can bring to another process."""
        for name in by_value_modules():
            encoded = name.encode()
            if any(encoded in piece for piece in pieces):
                raise pickle.PicklingError(f"it refers to the module {name}, which goes by value")

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return pickle.loads(frames[0], buffers=frames[1:])

    def load_again(self, frames: Sequence[memoryview], tail: bytes) -> tuple[Any, list[Any]]:
        """The value, in the process that dumped it, and what became of the objects of the tail."""
        stream = io.BytesIO(b"".join([frames[0], tail]))
        unpickler = self._unpickler(stream, frames[1:])
        return unpickler.load(), unpickler.load()

    def _unpickler(self, stream: Any, buffers: Sequence[memoryview]) -> Any:
        return _Unpickler(stream, buffers=buffers)


def _roots(table: _Table) -> set[str]:
    """Packages of the classes that were met."""
    return {cls.__module__.partition(".")[0] for cls in table if isinstance(cls.__module__, str)}


class _Unpickler(pickle.Unpickler):
    """Leaves the classes alone that were pickled by value: in this process they are what they are."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_class_setstate" and module.startswith("cloudpickle."):
            return _unchanged
        return super().find_class(module, name)


def _unchanged(cls: type, state: object) -> type:
    del state
    return cls


@functools.cache
def _cloud_pickler() -> Any:
    import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
        # The pickler in C reads this once, when it is made.
        dispatch_table = property(lambda self: self.table)

        def __init__(self, stream: Any, out_of_band: Callable[[Any], bool]) -> None:
            self.table = _Table(cloudpickle.Pickler.dispatch_table)
            super().__init__(stream, 5, buffer_callback=out_of_band)

    return Pickler


class CloudPickle(Pickle):
    """Lambdas, closures, and the classes and functions of a script, by value."""

    encoding = "pickle.cloudpickle/1"
    libraries = ("cloudpickle",)
    python_bound = True

    def _pickler(self, stream: Any, out_of_band: Callable[[Any], bool]) -> tuple[Any, _Table]:
        pickler = _cloud_pickler()(stream, out_of_band)
        return pickler, pickler.table

    def _allow(self, pieces: Sequence[bytes]) -> None:
        """It goes by value."""


class Dill(Pickle):
    """What is left. Things bound to this process are refused here too."""

    encoding = "pickle.dill/1"
    libraries = ("dill",)
    python_bound = True

    def _pickler(self, stream: Any, out_of_band: Callable[[Any], bool]) -> tuple[Any, _Table]:
        import dill  # type: ignore[import-untyped]

        class Pickler(dill.Pickler):  # type: ignore[misc] # dill has no types
            def save(self, obj: Any, save_persistent_id: bool = True) -> None:
                if _is_bound(type(obj)):
                    _refuse(obj)
                super().save(obj, save_persistent_id)

        pickler = Pickler(stream, 5, buffer_callback=out_of_band)
        pickler.dispatch_table = table = _Table(copyreg.dispatch_table)
        return pickler, table

    def _allow(self, pieces: Sequence[bytes]) -> None:
        """It goes by value."""

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return self._unpickler(io.BytesIO(frames[0]), frames[1:]).load()

    def _unpickler(self, stream: Any, buffers: Sequence[memoryview]) -> Any:
        import dill

        return dill.Unpickler(stream, buffers=buffers)


def rebuild_view(data: Any, kind: str, shape: tuple[int, ...]) -> memoryview:
    """What `_reduce_view` names: part of the stored format."""
    flat = memoryview(data).cast("B")
    return flat if kind == "B" and len(shape) == 1 else flat.cast(kind, shape)  # type: ignore[call-overload]


def _reduce_view(value: memoryview) -> Any:
    """Cloudpickle would make it bytes."""
    if not value.c_contiguous:
        return NotImplemented
    return rebuild_view, (pickle.PickleBuffer(value), value.format, value.shape)


register(memoryview, reduce=_reduce_view)
register(object, Pickle(), CloudPickle(), Dill())
