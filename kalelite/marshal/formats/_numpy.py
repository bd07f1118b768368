"""numpy arrays as real ``.npy`` files, mapped when loaded; scalars; and what pickle would lose."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from pickle import PickleBuffer
from typing import Any

import numpy as np
from numpy.lib import format as npy

from kalelite.marshal.formats._objects import reduce_objects
from kalelite.marshal.registry import Format, Frame, register

_SMALL = 1_024

_VIEWS: dict[str, type[Any]] = {"": np.ndarray, "matrix": np.matrix, "memmap": np.memmap}
"""Classes that are an ndarray and nothing else, so that a view of one is the other."""


def _simple(dtype: np.dtype[Any]) -> bool:
    """Whether ``dtype.str`` says all: numbers, times, text and bytes in any byte order."""
    return (
        dtype.kind in "biufcmMSU"
        and dtype.metadata is None
        and dtype.isbuiltin != 2
        and not dtype.hasobject
    )


def _plain_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether the text in a .npy header brings this very dtype back."""
    if _simple(dtype):
        return True
    if dtype.hasobject or dtype.metadata is not None or dtype.type is not np.void:
        return False
    if dtype.isalignedstruct:
        return False
    fields: Mapping[str, Any] = dtype.fields or {}
    if not all(_plain_dtype(field[0].base) for field in fields.values()):
        return False
    try:
        descr = npy.dtype_to_descr(dtype)
        str(descr).encode("latin1")  # as names of fields in a .npy header
        return bool(npy.descr_to_dtype(descr) == dtype)
    except (TypeError, ValueError, UserWarning):
        return False


def _name(dtype: np.dtype[Any]) -> str:
    """``dtype.str``, but telling C's long long from its long where they are as wide."""
    text: str = dtype.str
    return text if np.dtype(text).char == dtype.char else text[0] + dtype.char


@functools.lru_cache(256)
def _simple_head(text: str, fortran: bool, shape: tuple[int, ...]) -> bytes:
    return _head(text, fortran, shape)


def _head(descr: Any, fortran: bool, shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file; its length is a multiple of 64."""
    fields = {"descr": descr, "fortran_order": fortran, "shape": shape}
    for write in (npy.write_array_header_1_0, npy.write_array_header_2_0):
        head = io.BytesIO()
        try:
            write(head, fields)
        except ValueError:  # too many fields for the first version
            continue
        return head.getvalue()
    raise ValueError("too many fields for a .npy file")


def _layout(array: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], list[int] | None]:
    """The array with its axes in memory order, C-contiguous, and the axes to transpose back.

    None for the axes says C order. Only an array that has gaps is copied.
    """
    if array.flags.c_contiguous:
        return array, None
    axes = sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), axis))
    back = [axes.index(axis) for axis in range(array.ndim)]
    moved = array.transpose(axes)
    return np.ascontiguousarray(moved), None if back == sorted(back) else back


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview:
    """The memory of a C-contiguous array."""
    if not array.nbytes:
        return memoryview(b"")
    return array.reshape(-1).view(np.uint8).data


def _from_bytes(
    frame: Any, dtype: np.dtype[Any], shape: Sequence[int], axes: Sequence[int] | None
) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.ndarray(tuple(shape), dtype, buffer=frame)
    return array if axes is None else array.transpose(axes)


class Array(Format):
    """An ndarray of any dtype without objects, in C, Fortran or any other order of its axes.

    The payload is a .npy file. Memory order, byte order and the writeable flag come back; an
    array with gaps comes back without them.
    """

    encoding = "numpy.npy/1"
    suffix = ".npy"
    libraries = ("numpy",)

    def claims(self, value: Any) -> bool:
        return type(value) in _VIEWS.values() and _plain_dtype(value.dtype)

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        header: dict[str, Any] = {}
        if type(value) is not np.ndarray:
            header["class"] = type(value).__name__
            value = value.view(np.ndarray)
        if not value.flags.writeable:
            header["writeable"] = False
        array, axes = _layout(value)
        dtype, shape, fortran = array.dtype, array.shape, False
        # Parsing a .npy header takes longer than all the rest, so what it says is said here too.
        header["shape"] = shape
        if axes is not None:
            header["axes"] = axes
            fortran = axes == list(range(array.ndim))[::-1]
            shape = shape[::-1] if fortran else shape
        if _simple(dtype):
            header["dtype"] = _name(dtype)
            head = _simple_head(dtype.str, fortran, shape)
        else:
            head = _head(npy.dtype_to_descr(dtype), fortran, shape)
        return header, [head, _bytes_of(array)]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        dtype = np.dtype(header["dtype"]) if "dtype" in header else _read_dtype(frames[0])
        array = _from_bytes(frames[1], dtype, header["shape"], header.get("axes"))
        if "writeable" in header:
            array.flags.writeable = False
        return array.view(_VIEWS[header["class"]]) if "class" in header else array


def _read_dtype(data: memoryview) -> np.dtype[Any]:
    head = io.BytesIO(data)
    first = npy.read_magic(head) == (1, 0)
    read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    dtype: np.dtype[Any] = read(head, max_header_size=len(data))[2]
    return dtype


class Scalar(Format):
    """A numpy scalar comes back as one, not as a 0-d array or a Python number."""

    encoding = "numpy.scalar/1"
    suffix = ".npy"
    libraries = ("numpy",)

    def claims(self, value: Any) -> bool:
        dtype = value.dtype
        return type(value) is dtype.type and _simple(dtype)

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        return Array().dump(np.asarray(value))

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        return Array().load(header, frames)[()]


def rebuild_array(
    buffer: Any, dtype: np.dtype[Any], shape: tuple[int, ...], axes: list[int] | None
) -> Any:
    """What `_reduce_array` names: part of the stored format."""
    return _from_bytes(buffer, dtype, shape, axes)


def rebuild_read_only(array: np.ndarray[Any, Any]) -> Any:
    """What `_reduce_array` names: part of the stored format."""
    array.flags.writeable = False
    return array


def rebuild_subclass(cls: type[Any], array: np.ndarray[Any, Any], state: dict[str, Any]) -> Any:
    """What `_reduce_array` names for subclasses: part of the stored format."""
    value = array.view(cls)
    if state:
        value.__dict__.update(state)
    return value


def rebuild_masked(
    data: np.ndarray[Any, Any], mask: Any, fill: Any, hard: bool, state: dict[str, Any]
) -> Any:
    """What `_reduce_masked` names: part of the stored format."""
    value: Any = np.ma.MaskedArray(data, mask=np.ma.nomask if mask is None else mask, copy=False)
    # The setter of the fill value would make one where there was none.
    value.__dict__.update(state, _fill_value=fill, _hardmask=hard)
    return value


def _is_small(value: np.ndarray[Any, Any]) -> bool:
    """Whether numpy's own pickling is as fast, and keeps the byte order and who may write."""
    return value.nbytes < _SMALL and value.dtype.isnative and value.flags.writeable


def _reduce_array(value: np.ndarray[Any, Any]) -> Any:
    """Numpy pickles an array with gaps or moved axes in band."""
    if type(value) is not np.ndarray:
        return _reduce_subclass(value)
    if value.flags.forc and value.dtype.kind in "biufcSU":
        return NotImplemented  # numpy hands it over itself, but dates it does not
    if not value.flags.writeable:
        return rebuild_read_only, (value.copy(order="K"),)
    if value.dtype.hasobject:
        return reduce_objects(value)
    if _is_small(value):
        return NotImplemented
    array, axes = _layout(value)
    # Not a view of its memory: one that is garbage together with this crashes Python 3.11.
    memory: Any = array.reshape(-1).view(np.uint8)
    return rebuild_array, (PickleBuffer(memory), value.dtype, array.shape, axes)


def _reduce_subclass(value: np.ndarray[Any, Any]) -> Any:
    """Numpy copies it in band, and forgets what it has of its own."""
    cls = type(value)
    if (
        cls.__reduce__ is not np.ndarray.__reduce__
        or cls.__reduce_ex__ is not np.ndarray.__reduce_ex__
    ):
        return NotImplemented
    state = {} if cls.__module__.startswith("numpy") else dict(getattr(value, "__dict__", {}))
    if not state and _is_small(value):
        return NotImplemented
    return rebuild_subclass, (cls, value.view(np.ndarray), state)


_MADE = {"_mask", "_sharedmask", "_isfield", "_baseclass", "_basedict"}
"""What a new masked array has anyway."""


def _reduce_masked(value: Any) -> Any:
    """Numpy would make a full mask where there was none, and copy everything in band."""
    state = {key: item for key, item in vars(value).items() if key not in _MADE}
    mask = None if value.mask is np.ma.nomask else value.mask
    fill, hard = state.pop("_fill_value"), state.pop("_hardmask")
    return rebuild_masked, (value.data, mask, fill, hard, state)


register(np.ndarray, Array(), reduce=_reduce_array, subclasses=True)
register(np.generic, Scalar())
register(np.ma.MaskedArray, reduce=_reduce_masked)
