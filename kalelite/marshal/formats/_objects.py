"""Arrays of Python objects, which nearly always are columns of text.

pickle writes such an array one object at a time. Here a run of it becomes one of

- a *pool*: the distinct objects once, and a number for each place, where few objects stand in
  many places (identity is kept: objects are pooled, and of equal values only strings);
- *text*: the strings joined into one UTF-8 buffer and where each begins, as Arrow holds them,
  with the other objects (None, NaN, pandas.NA, anything) beside it under their positions;
- a plain list, where neither fits.

Strings in a text run come back equal, not shared with other places that held the same object.
pyarrow splits and joins twice as fast as Python; it is asked where it is imported already.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import operator
import sys
from pickle import PickleBuffer
from typing import Any

import numpy as np

from kalelite.marshal.registry import UnfitError
from kalelite.marshal.tree import Node, Reader, Writer

__all__ = [
    "fill_objects",
    "new_objects",
    "read_objects",
    "reduce_objects",
    "utf8_of",
    "write_objects",
]

_SMALLEST = 1_024
"""Shorter arrays are left to pickle."""

_SAMPLE = 16_384
_CHUNK = 16_384
"""Strings joined at a time: wide text needs up to four bytes a character while it is joined."""

Run = tuple[Any, ...]


def reduce_objects(array: np.ndarray[Any, Any]) -> Any:
    """As ``__reduce_ex__(5)`` of an array of dtype object; NotImplemented if pickle does it as well."""
    if array.dtype != object or array.dtype.metadata or array.size < _SMALLEST:
        return NotImplemented
    rows = _rows(array)
    if rows[0].size < _SMALLEST:
        return NotImplemented
    runs = [_run(np.ascontiguousarray(row)) for row in rows]
    if all(run[0] == "list" for run in runs):
        return NotImplemented
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    # The array comes first and its contents as state, so that it may contain itself.
    return new_objects, (array.shape, "F" if fortran else "C"), runs, None, None, fill_objects


def write_objects(array: np.ndarray[Any, Any], writer: Writer) -> list[Node]:
    """An array of dtype object as a node of a tree of data: shape, order, runs."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    runs = []
    for row in _rows(array):
        if row.size < _SMALLEST:
            run: Run = ("list", row.tolist())
        elif not writer.patient and not _is_text(row):
            raise UnfitError("its objects are pickled faster")
        else:
            run = _run(np.ascontiguousarray(row))
        runs.append(
            [run[0], *(_WRITE_PART.get(type(part), _put)(writer, part) for part in run[1:])]
        )
    return [list(array.shape), "F" if fortran else "C", runs]


def read_objects(args: list[Node], reader: Reader) -> np.ndarray[Any, Any]:
    """What `write_objects` wrote."""
    shape, order, runs = args
    array = new_objects(tuple(shape), order)
    for row, (kind, *parts) in zip(_rows(array), runs, strict=True):
        _FILL[kind](row, *[reader.get(part) for part in parts])
    return array


def _put(writer: Writer, part: Any) -> Node:
    return writer.put(part)


_WRITE_PART: dict[type, Any] = {
    PickleBuffer: lambda writer, part: ["frame", writer.frame(part)],
    list: lambda writer, part: _put_list(part, writer),
}


def _put_list(items: list[Any], writer: Writer) -> Node:
    """The objects between texts; mostly they are one for what is missing."""
    if len(items) > 1 and all(item is items[0] for item in items):
        return ["repeat", writer.put(items[0]), len(items)]
    return ["tuple", *writer.items(items)]


def _is_text(row: np.ndarray[Any, Any]) -> bool:
    """Whether a sample has enough strings, or few enough objects, to have a look at all."""
    sample = row[:: max(row.size // 257, 1)].tolist()
    few = len(sample) // 8
    return list(map(type, sample)).count(str) > few or len(set(map(id, sample))) < few


def new_objects(shape: tuple[int, ...], order: Any) -> np.ndarray[Any, Any]:
    """An array of Nones, to be filled."""
    return np.empty(shape, object, order)


def fill_objects(array: np.ndarray[Any, Any], runs: list[Run]) -> None:
    """Put the objects of `runs` into `array`."""
    for row, (kind, *parts) in zip(_rows(array), runs, strict=True):
        _FILL[kind](row, *parts)


def _rows(array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Views with one dimension; a block of a DataFrame holds a column in each row."""
    if array.ndim == 2:
        return list(array)
    order: Any = "F" if array.flags.f_contiguous else "C"
    return [array.reshape(-1, order=order)]


def _run(row: np.ndarray[Any, Any]) -> Run:
    if _repeats(row):
        return _pool(row) or ("list", row.tolist())
    return _pool_of_equals(row) or _text(row) or ("list", row.tolist())


def _addresses(row: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The identities of the elements: id() is the address, and the array is made of addresses."""
    memory = (ctypes.c_char * row.nbytes).from_address(row.ctypes.data)
    addresses: np.ndarray[Any, Any] = np.frombuffer(memoryview(memory), np.intp)
    return addresses


def _repeats(row: np.ndarray[Any, Any]) -> bool:
    """Whether, by a sample, each object stands in two places or more on average.

    Of n places that hold k objects evenly, a sample of s has about s * s / 2k repetitions. A few
    objects that stand everywhere (None among unique strings) do not count: text deals with them.
    """
    if sys.implementation.name != "cpython":
        return False
    sample = _addresses(row)[:: max(row.size // _SAMPLE, 1)]
    counts = np.unique(sample, return_counts=True)[1]
    common = counts > max(sample.size // 100, 8)
    if common.sum() > 2:
        return True
    rest = counts[~common]
    if counts[common].sum() > sample.size // 2:
        return True
    repetitions = rest.sum() - rest.size
    if sample.size == row.size:
        return bool(repetitions > row.size // 2)
    return bool(repetitions > rest.sum() ** 2 / row.size)


def _pool(row: np.ndarray[Any, Any]) -> Run | None:
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None  # sorting takes longer than pickling
    codes, found = pandas.factorize(_addresses(row))
    if found.size > row.size // 2:
        return _text(row)
    where = np.empty(found.size, np.intp)
    where[codes] = np.arange(row.size)
    # Each string once, then the rest: so a part of the pool is the dictionary of an Arrow column.
    numbers: dict[Any, int] = {}
    others: list[Any] = []
    objects = row[where].tolist()
    for item in objects:
        if type(item) is str:
            numbers.setdefault(item, len(numbers))
        else:
            others.append(item)
    ahead = itertools.count(len(numbers))
    moved = [numbers[item] if type(item) is str else next(ahead) for item in objects]
    return _pooled(np.array(moved)[codes], [*numbers, *others])


def _pool_of_equals(row: np.ndarray[Any, Any]) -> Run | None:
    """Few different strings, each made anew for its place: worth a pool, by a sample as above."""
    sample = row[:: max(row.size // _SAMPLE, 1)].tolist()
    if list(map(type, sample)).count(str) != len(sample):
        return None
    most = row.size / 20  # of so many strings, evenly spread, the sample would show about:
    if len(set(sample)) > most * (1 - math.exp(-len(sample) / most)):
        return None
    texts = row.tolist()
    if list(map(type, texts)).count(str) != len(texts):
        return None
    if arrow := sys.modules.get("pyarrow"):
        with contextlib.suppress(UnicodeEncodeError, arrow.ArrowException, AttributeError):
            found = arrow.array(row, arrow.large_string()).dictionary_encode()
            return _pooled(found.indices.to_numpy(), found.dictionary.to_pylist())
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return _pooled(np.fromiter(map(numbers.__getitem__, texts), np.intp, len(texts)), list(numbers))


def _pooled(codes: np.ndarray[Any, Any], pool: list[Any]) -> Run:
    codes = codes.astype(
        np.min_scalar_type(-len(pool))
    )  # signed: not all readers of Arrow know others
    return "pool", codes, np.fromiter(pool, object, len(pool)) if len(pool) >= _SMALLEST else pool


def _fill_pool(row: np.ndarray[Any, Any], codes: Any, pool: Any) -> None:
    objects = np.fromiter(pool, object, len(pool))  # an assignment would unpack nested sequences
    row[:] = objects[codes]


def _text(row: np.ndarray[Any, Any]) -> Run | None:
    odd: list[int] = []
    for start in range(0, row.size, _CHUNK):
        kinds = list(map(type, row[start : start + _CHUNK].tolist()))
        if kinds.count(str) != len(kinds):
            other = map(operator.is_not, kinds, itertools.repeat(str))
            odd += itertools.compress(range(start, start + len(kinds)), other)
            if len(odd) > (start + len(kinds)) // 2:
                return None
    places = np.fromiter(odd, np.int64, len(odd))
    others = row[places].tolist()
    if odd:
        row = row.copy()
        row[places] = ""
    return *utf8_of(row), places, others


def utf8_of(row: np.ndarray[Any, Any]) -> tuple[str, PickleBuffer, np.ndarray[Any, Any]]:
    """Strings as one run of UTF-8, and where each begins in it, and the end.

    The first item is "utf8", or "surrogates" where one is half of a character: no Unicode then.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        with contextlib.suppress(UnicodeEncodeError, arrow.ArrowException):
            array = arrow.array(row, arrow.large_string())
            if isinstance(array, arrow.Array):  # not in several chunks
                _, ends, data = array.buffers()
                found = np.frombuffer(ends, np.int64, row.size + 1)
                return "utf8", PickleBuffer(memoryview(data or b"")[: found[-1]]), found
    kind, pieces, sizes = "utf8", [], [np.zeros(1, np.int64)]
    for start in range(0, row.size, _CHUNK):
        texts = row[start : start + _CHUNK].tolist()
        joined = "".join(texts)
        try:
            pieces.append(joined.encode())
        except UnicodeEncodeError:
            kind = "surrogates"
        if not joined.isascii():
            texts = [text.encode("utf-8", "surrogatepass") for text in texts]
            pieces[start // _CHUNK :] = [b"".join(texts)]
        sizes.append(np.fromiter(map(len, texts), np.int64, len(texts)))
    return kind, PickleBuffer(b"".join(pieces)), np.concatenate(sizes).cumsum()


def _fill_utf8(
    row: np.ndarray[Any, Any], data: Any, ends: Any, places: Any, others: list[Any]
) -> None:
    view = memoryview(data).cast("B")
    if ends[0] or ends[-1] != view.nbytes or (ends[1:] < ends[:-1]).any():
        raise ValueError("a run of strings ends where it should not")
    row[:] = _split(view, ends)
    row[places] = np.fromiter(others, object, len(others))


def _split(view: memoryview, ends: np.ndarray[Any, Any]) -> Any:
    """The strings of a run."""
    arrow, size = sys.modules.get("pyarrow"), ends.size - 1
    if arrow is not None:
        buffers = [None, arrow.py_buffer(ends), arrow.py_buffer(view)]
        with contextlib.suppress(UnicodeDecodeError, arrow.ArrowException):  # as above
            array = arrow.Array.from_buffers(arrow.large_string(), size, buffers, 0)
            return array.to_numpy(zero_copy_only=False)
    spans = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    if (whole := bytes(view)).isascii():
        text = whole.decode()
        texts: Any = (text[start:end] for start, end in spans)
    else:
        texts = (whole[start:end].decode("utf-8", "surrogatepass") for start, end in spans)
    return np.fromiter(texts, object, size)


def _fill_text(
    row: np.ndarray[Any, Any], data: Any, chunks: list[Any], places: Any, others: list[Any]
) -> None:
    """As it was written before: each chunk of strings joined by what none of them contains."""
    view = memoryview(data)
    start = begin = 0
    for count, size, separator in chunks:
        texts = str(view[begin : begin + size], "utf-8", "surrogatepass").split(separator)
        if len(texts) != count:
            raise ValueError(f"a run of {count} strings holds {len(texts)}")
        row[start : start + count] = np.fromiter(texts, object, count)
        start, begin = start + count, begin + size
    row[places] = np.fromiter(others, object, len(others))


def _fill_list(row: np.ndarray[Any, Any], items: list[Any]) -> None:
    row[:] = np.fromiter(items, object, len(items))


_FILL: dict[str, Any] = {
    "pool": _fill_pool,
    "utf8": _fill_utf8,
    "surrogates": _fill_utf8,
    "text": _fill_text,
    "list": _fill_list,
}
