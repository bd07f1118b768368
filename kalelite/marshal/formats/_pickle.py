"""Any other value: pickle protocol 5 with its buffers beside it, then cloudpickle, then dill.

Frame 0 is the pickle, the others are the buffers that numpy and others hand over without a
copy. Values of classes that a reducer is registered for are saved by it wherever they stand in
the value, and the pickler's memo keeps identity within one value.

A class or function of a script (``__main__``) is not to be found by name in another process,
so a pickle that mentions such a module is made by cloudpickle, by value.
"""

from __future__ import annotations

import copyreg
import functools
import io
import operator
import pickle
import sys
import threading
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kalelite.marshal.registry import (
    Buffer,
    Format,
    Frame,
    reducer_of,
    register_format,
    register_reducer,
)

__all__ = ["CloudPickle", "Dill", "Pickle", "by_value_modules"]

_IN_BAND = 1024
"""Buffers smaller than this stay in the pickle: a frame costs more than a copy."""

_reduce_5: Callable[[Any], Any] = operator.methodcaller("__reduce_ex__", 5)

_BOUND = (
    type(threading.Lock()),
    type(threading.RLock()),
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
    threading.Thread,
)
"""What cannot leave its process, though cloudpickle or dill would send something else in its place."""


def _refuse(value: Any) -> Any:
    raise pickle.PicklingError(f"a {type(value).__qualname__} cannot leave its process")


class _Table(dict[type, Callable[[Any], Any]]):
    """How to reduce an instance of a class; filled while pickling, so it tells what was met."""

    def __init__(self, fallback: Mapping[type, Callable[[Any], Any]]) -> None:
        super().__init__()
        self.fallback = fallback

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        if issubclass(cls, type):
            raise KeyError(cls)  # classes go by name
        found: Callable[[Any], Any] | None = reducer_of(cls)
        if found is not None:
            reducer = found

            def found(value: Any) -> Any:
                reduced = reducer(value)
                return _reduce_5(value) if reduced is NotImplemented else reduced

        elif issubclass(cls, _BOUND):
            found = _refuse
        else:
            found = self.fallback.get(cls, _reduce_5)
        self[cls] = found
        return found

    def get(self, cls: type, default: Any = None) -> Any:  # what the pickler in Python asks
        try:
            return self[cls]
        except KeyError:
            return default


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

        table = self._run(value, stream, out_of_band)
        roots = {
            cls.__module__.partition(".")[0] for cls in table if isinstance(cls.__module__, str)
        }
        return {"libraries": sorted(roots)}, [stream.pieces, *buffers]

    def _run(self, value: Any, stream: Any, out_of_band: Callable[[Any], bool]) -> _Table:
        pickler = pickle.Pickler(stream, 5, buffer_callback=out_of_band)
        pickler.dispatch_table = table = _Table(copyreg.dispatch_table)
        pickler.dump(value)
        for name in by_value_modules():
            encoded = name.encode()
            if any(encoded in piece for piece in stream.pieces):
                raise pickle.PicklingError(f"it refers to the module {name}, which goes by value")
        return table

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return pickle.loads(frames[0], buffers=frames[1:])


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

    def _run(self, value: Any, stream: Any, out_of_band: Callable[[Any], bool]) -> _Table:
        pickler = _cloud_pickler()(stream, out_of_band)
        pickler.dump(value)
        table: _Table = pickler.table
        return table


class Dill(Pickle):
    """What is left. Things bound to this process are refused here too."""

    encoding = "pickle.dill/1"
    libraries = ("dill",)
    python_bound = True

    def _run(self, value: Any, stream: Any, out_of_band: Callable[[Any], bool]) -> _Table:
        import dill  # type: ignore[import-untyped]

        class Pickler(dill.Pickler):  # type: ignore[misc] # dill has no types
            def save(self, obj: Any, save_persistent_id: bool = True) -> None:
                if isinstance(obj, _BOUND):
                    _refuse(obj)
                super().save(obj, save_persistent_id)

        pickler = Pickler(stream, 5, buffer_callback=out_of_band)
        pickler.dispatch_table = table = _Table(copyreg.dispatch_table)
        pickler.dump(value)
        return table

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        import dill

        del header
        return dill.Unpickler(io.BytesIO(frames[0]), buffers=frames[1:]).load()


def rebuild_view(data: Any, kind: str, shape: tuple[int, ...]) -> memoryview:
    """What `_reduce_view` names: part of the stored format."""
    flat = memoryview(data).cast("B")
    return flat if kind == "B" and len(shape) == 1 else flat.cast(kind, shape)  # type: ignore[call-overload]


def _reduce_view(value: memoryview) -> Any:
    """Cloudpickle would make it bytes."""
    if not value.c_contiguous:
        return NotImplemented
    return rebuild_view, (pickle.PickleBuffer(value), value.format, value.shape)


register_reducer(memoryview, _reduce_view)
register_format(object, Pickle(), CloudPickle(), Dill())
