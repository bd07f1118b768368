"""Arrays of Python objects that hold text, as a column of a frame does.

pickle writes the objects of an array one by one. Where few objects stand in many places, they are
written once here, with a number for each place; a row of different strings becomes one buffer of
UTF-8 and where each begins in it, with one other object wherever a string is missing (None, NaN,
pandas.NA).

pandas numbers the objects and pyarrow makes the buffers: neither is imported for that, and without
them pickle is as fast. Reading needs none of them.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import sys
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

_SMALLEST = 32_768
"""Shorter rows are left to pickle."""

_SAMPLE, _SPARSE = 4_096, 8
"""How many objects are looked at to begin with, and at most one in how many."""

Row = tuple[Any, ...]
"""``("objects", list)``, ``("few", numbers, list)`` or ``("text", UTF-8, ends, places, other)``."""


def reduce_objects(array: np.ndarray[Any, Any]) -> Any:
    """As ``__reduce_ex__(5)`` of an array of dtype object; NotImplemented if pickle does it as well."""
    if array.dtype != object or array.dtype.metadata or array.size < _SMALLEST:
        return NotImplemented
    rows = _rows(array)
    if rows[0].size < _SMALLEST:
        return NotImplemented
    found = list(map(_encode, rows))
    if not any(found):
        return NotImplemented
    parts = [part or ("objects", row.tolist()) for row, part in zip(rows, found, strict=True)]
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    # The array comes first and its objects as state, so that it may contain itself.
    return new_objects, (array.shape, "F" if fortran else "C"), parts, None, None, fill_objects


def _rows(array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Views with one dimension; a block of a DataFrame holds a column in each row."""
    if array.ndim == 2:
        return list(array)
    return [array.reshape(-1, order="F" if array.flags.f_contiguous else "C")]


def _encode(row: np.ndarray[Any, Any]) -> Row | None:
    """A row of text; None where it is best left to pickle."""
    sample = row[:: max(row.size // _SAMPLE, _SPARSE)].tolist()
    texts = [item for item in sample if type(item) is str]
    if 2 * len(texts) < len(sample):
        return None
    if _repeats(map(id, texts), row.size):
        return _few(np.ascontiguousarray(row))
    return _text(row, few=_repeats(texts, row.size))


def _few(row: np.ndarray[Any, Any]) -> Row | None:
    """Objects that stand in many places: such an array is one of addresses, which are numbered."""
    if (pandas := sys.modules.get("pandas")) is None:
        return None
    memory = (ctypes.c_char * row.nbytes).from_address(row.ctypes.data)
    numbers, found = pandas.factorize(np.frombuffer(memoryview(memory), np.intp))
    places = np.empty(found.size, np.intp)
    places[numbers] = np.arange(row.size)
    return "few", numbers.astype(np.min_scalar_type(found.size)), row[places].tolist()


def _text(row: np.ndarray[Any, Any], *, few: bool) -> Row | None:
    """Strings, and at most one other object."""
    if (arrow := sys.modules.get("pyarrow")) is None:
        return None
    try:
        array = arrow.array(row, arrow.string(), from_pandas=True)
    except (arrow.ArrowException, UnicodeEncodeError):  # not text; half a character
        return None
    # It takes bytes and subclasses of str for strings, too; and two chunks for very much text.
    missing = row.size - list(map(type, row.tolist())).count(str)
    if missing != array.null_count or not isinstance(array, arrow.Array):
        return None
    places = np.flatnonzero(array.is_null()) if missing else np.empty(0, np.intp)
    other = row[places].tolist()
    if len(set(map(id, other))) > 1:
        return None
    if few:
        coded = array.dictionary_encode()
        objects = [*coded.dictionary.to_pylist(), *other[:1]]
        numbers = coded.indices.fill_null(len(objects) - 1).to_numpy()
        return "few", numbers.astype(np.min_scalar_type(len(objects))), objects
    _, ends, data = array.buffers()
    found = np.frombuffer(ends, np.int32)[: row.size + 1]
    return "text", np.frombuffer(data or b"", np.uint8)[: found[-1]], found, places, other[:1]


def _repeats(sample: Iterable[Hashable], size: int) -> bool:
    """Whether each of `size` items stands in more than two places on average, by a sample.

    Of k different items that are evenly spread, a sample of s has about k * (1 - exp(-s / k)).
    """
    items = list(sample)
    half = size / 2
    return len(set(items)) < half * (1 - math.exp(-len(items) / half))


def new_objects(shape: tuple[int, ...], order: Any) -> np.ndarray[Any, Any]:
    """An array of Nones, to be filled: part of the stored format."""
    return np.empty(shape, object, order)


def fill_objects(array: np.ndarray[Any, Any], parts: list[Row]) -> None:
    """Put the objects of `parts` into the rows of `array`: part of the stored format."""
    for row, part in zip(_rows(array), parts, strict=True):
        match part:
            case "few", numbers, objects:
                row[:] = np.fromiter(objects, object, len(objects))[numbers]
            case "text", data, ends, places, other:
                row[:] = _split(data, ends)
                row[places] = np.fromiter(other * places.size, object, places.size)
            case _, objects:  # an assignment would unpack nested sequences
                row[:] = np.fromiter(objects, object, len(objects))


def _split(data: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> Any:
    """The strings of a row."""
    size = ends.size - 1
    if arrow := sys.modules.get("pyarrow"):
        array = arrow.StringArray.from_buffers(size, arrow.py_buffer(ends), arrow.py_buffer(data))
        array.validate(full=True)  # it may be damaged: it is mapped, and verified only later
        return array.to_numpy(zero_copy_only=False)
    whole = data.tobytes()
    spans = itertools.pairwise(ends.tolist())
    return np.fromiter((whole[start:end].decode() for start, end in spans), object, size)
