"""Any other value: pickle protocol 5 with its buffers beside it, then cloudpickle, then dill.

Frame 0 is the pickle, the others are the buffers that numpy and others hand over without a
copy. Instances of classes that `register` was called for are saved that way wherever they stand in
the value, and the pickler's memo keeps identity within one value.

A class or function of a script (``__main__``) is not to be found by name in another process,
so a pickle that mentions such a module is made by cloudpickle, by value.
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
import typing
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kalelite.errors import KaleliteError
from kalelite.marshal.formats._own_pickling import is_doubtful, reduce_exception
from kalelite.marshal.registry import Buffer, Format, Frame, PartError, reducer_of, register

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
    reason = f"a {type(value).__qualname__} cannot leave its process"
    raise PartError(reason, [value], final=True)


class _Table(dict[type, Callable[[Any], Any]]):
    """How to reduce an instance of a class; filled while pickling, so it lists what was met."""

    def __init__(self, fallback: Mapping[type, Callable[[Any], Any]]) -> None:
        super().__init__()
        self.fallback = fallback

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        if issubclass(cls, type):
            raise KeyError(cls)  # classes go by name
        usual = self.fallback.get(cls, _reduce_5)
        if registered := reducer_of(cls):
            found = _first_of(registered, usual)
        else:
            found = _refuse if _is_bound(cls) else usual
        self[cls] = found
        return found

    def get(self, cls: type, default: Any = None) -> Any:  # what the pickler in Python asks
        try:
            return self[cls]
        except KeyError:
            return default

    def roots(self) -> list[str]:
        """Packages of the classes that were met."""
        modules = (cls.__module__ for cls in self if isinstance(cls.__module__, str))
        return sorted({module.partition(".")[0] for module in modules})


def _first_of(reducer: Callable[[Any], Any], usual: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def reduce(value: Any) -> Any:
        reduced = reducer(value)
        return usual(value) if reduced is NotImplemented else reduced

    return reduce


class _Chunks:
    """A file to write to that keeps what it is given, without copying large pieces together."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self.pieces.append(data if type(data) is bytes else bytes(data))
        return len(data)


def by_value_modules() -> set[str]:
    """Modules whose classes and functions travel by value: the script, and what the user names.

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
    runs_code = True

    def claims(self, value: Any) -> bool:
        del value
        return True  # dump finds out

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        """As every format.

        Raises `Exception`: whatever the value's own reduction raises.
        """
        stream = _Chunks()
        buffers: list[Buffer] = []

        def out_of_band(buffer: pickle.PickleBuffer) -> bool:
            with buffer.raw() as raw:
                small = raw.nbytes < _IN_BAND
            if not small:
                buffers.append(buffer)
            return small

        pickler, table = self._pickler(stream, out_of_band)
        self._save(pickler, value)
        self._allow(stream.pieces)
        header = {"libraries": table.roots(), "doubtful": any(map(is_doubtful, table))}
        return header, [stream.pieces, *buffers]

    def _pickler(self, stream: Any, out_of_band: Callable[[Any], bool]) -> tuple[Any, _Table]:
        pickler = pickle.Pickler(stream, 5, buffer_callback=out_of_band)
        pickler.dispatch_table = table = _Table(copyreg.dispatch_table)
        return pickler, table

    def _save(self, pickler: Any, value: Any) -> None:
        pickler.dump(value)

    def _allow(self, pieces: Sequence[bytes]) -> None:
        """Refuse what only pickles by value can bring to another process."""
        for name in by_value_modules():
            encoded = name.encode()
            if any(encoded in piece for piece in pieces):
                raise pickle.PicklingError(f"it refers to the module {name}, which goes by value")

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return pickle.loads(frames[0], buffers=frames[1:])


@functools.cache
def _cloud_pickler() -> Any:
    from cloudpickle import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
        # The pickler in C reads this once, when it is made.
        dispatch_table = property(lambda self: self.table)

        def __init__(self, stream: Any, out_of_band: Callable[[Any], bool]) -> None:
            self.table = _Table(cloudpickle.Pickler.dispatch_table)
            self.parts: list[Any] = []
            self.cells: set[int] = set()
            self.table[types.CellType] = functools.partial(_reduce_cell, self.cells)
            super().__init__(stream, 5, buffer_callback=out_of_band)

        def reducer_override(self, obj: Any) -> Any:
            self.parts.append(obj)
            if isinstance(obj, type | types.FunctionType) and _is_found_by_name(obj):
                return NotImplemented
            if isinstance(obj, type) and (generic := origin_and_arguments(obj)):
                return operator.getitem, generic
            if obj is generic_item():
                return generic_item, ()
            reduced = super().reducer_override(obj)
            if reduced is NotImplemented or len(reduced) != 6:
                return reduced
            if isinstance(obj, type):
                made = known_class, (reduced[0], *reduced[1])
                return (*made, *reduced[2:5], fill_class)
            return self._sharing(obj.__closure__ or (), *reduced)

        def _sharing(
            self, cells: tuple[Any, ...], make: Any, new: Any, state: Any, *rest: Any
        ) -> Any:
            """The function made with its own cells, which others may share, and filled later."""
            self.cells.update(map(id, cells))
            contents = tuple(map(_content, cells)) if cells else None
            self.parts.append(contents)  # its id is in the pickler's memo
            slots = {**state[1], "__closure__": contents}
            return make, (*new[:4], cells or None), (state[0], slots), *rest

    return Pickler


def known_class(make: Callable[..., type], *args: Any) -> type:
    """Make a class by value, unless this process has it: part of the format."""
    from cloudpickle import cloudpickle

    known: type | None = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(args[-2])
    return make(*args) if known is None else known


def generic_item() -> Any:
    """What a generic NamedTuple has in place of a method of its own: part of the format.

    Since Python 3.12 that is a function of `typing`, which pickles by its name.
    """
    item: Any = typing.Generic.__class_getitem__
    return getattr(item, "__func__", item)


def fill_class(cls: type, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a class by value its members, unless this process has it whole: part of the format."""
    from cloudpickle import cloudpickle

    own = vars(cls)
    if not state[0].keys() <= own.keys() | {"_abc_impl"} or own.get("__doc__") != state[0].get(
        "__doc__"
    ):
        cloudpickle._class_setstate(cls, state)


def origin_and_arguments(cls: type) -> tuple[Any, Any] | None:
    """Of a class that pydantic makes of a generic one, and keeps: ``Page[int]``."""
    found = vars(cls).get("__pydantic_generic_metadata__") or {}
    return (found["origin"], found["args"]) if found.get("origin") else None


def _reduce_cell(shared: set[int], cell: types.CellType) -> Any:
    """A cell of a function is empty at first: it may hold the function that closes over it."""
    from cloudpickle import cloudpickle

    return cloudpickle._cell_reduce(types.CellType() if id(cell) in shared else cell)


def _content(cell: types.CellType) -> Any:
    """What has the content of a cell as cloudpickle reads it; a cell itself, if it is empty."""
    try:
        return types.SimpleNamespace(cell_contents=cell.cell_contents)
    except ValueError:
        return cell


def _is_found_by_name(value: Any) -> bool:
    """Whether a step's stand-in for the script has the class or function: every step has it too."""
    module = sys.modules.get(value.__module__)
    if not type(module).__module__.startswith("kalelite."):
        return False
    found: Any = module
    for part in value.__qualname__.split("."):
        found = vars(found).get(part) if found is not None else None
    return found is value


def _reduce_cached_property(value: functools.cached_property[Any]) -> Any:
    """Before Python 3.12 it holds a lock, which no pickler takes."""
    return functools.cached_property, (value.func,), (None, {"attrname": value.attrname})


def _reduce_weak_dict(value: Any) -> Any:
    """Its own state holds weak references, which no pickler takes."""
    return type(value), (dict(value.items()),)


def _reduce_weak_set(value: Any) -> Any:
    return type(value), (list(value),)


class CloudPickle(Pickle):
    """Lambdas, closures, and the classes and functions of a script, by value."""

    encoding = "pickle.cloudpickle/1"
    libraries = ("cloudpickle",)
    python_bound = True

    def _pickler(self, stream: Any, out_of_band: Callable[[Any], bool]) -> tuple[Any, _Table]:
        pickler = _cloud_pickler()(stream, out_of_band)
        return pickler, pickler.table

    def _save(self, pickler: Any, value: Any) -> None:
        try:
            pickler.dump(value)
        except KaleliteError:
            raise
        except PartError as error:
            raise PartError(str(error), pickler.parts, final=error.final) from None
        except Exception as error:
            raise PartError(str(error), pickler.parts) from error

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
        import dill

        del header
        return dill.Unpickler(io.BytesIO(frames[0]), buffers=frames[1:]).load()


def rebuild_view(data: Any, kind: str, shape: tuple[int, ...]) -> memoryview:
    """What `_reduce_view` names: part of the stored format."""
    flat = memoryview(data).cast("B")
    return flat if kind == "B" and len(shape) == 1 else flat.cast(kind, shape)  # type: ignore[call-overload]


def _reduce_view(value: memoryview) -> Any:
    """Cloudpickle would make it bytes."""
    kind, shape = value.format, value.shape or ()
    data = value if value.c_contiguous else memoryview(bytearray(value.tobytes()))
    try:
        rebuild_view(data, kind, shape)
    except ValueError as error:  # Python has no name for what is in it, as for half floats
        if (numpy := sys.modules.get("numpy")) is None:
            raise PartError(str(error), [value], final=True) from error
        return memoryview, (numpy.asarray(value),)
    return rebuild_view, (pickle.PickleBuffer(data), kind, shape)


register(functools.cached_property, reduce=_reduce_cached_property)
register(weakref.WeakKeyDictionary, reduce=_reduce_weak_dict)
register(weakref.WeakValueDictionary, reduce=_reduce_weak_dict)
register(weakref.WeakSet, reduce=_reduce_weak_set)
register(BaseException, reduce=reduce_exception, subclasses=True)
register(memoryview, reduce=_reduce_view)
register(object, Pickle(), CloudPickle(), Dill())
