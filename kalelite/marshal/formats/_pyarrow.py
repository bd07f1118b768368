"""pyarrow tables and batches as Arrow IPC files, which Feather is; arrays without their surroundings.

An IPC file is written without copying a column and read without reading one: the columns are
views of the mapped file.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kalelite.marshal.registry import Buffer, Format, Frame, register

pa: Any = importlib.import_module("pyarrow")  # typed on some machines only

__all__ = ["Table", "flat_array", "from_flat", "ipc_pieces", "read_ipc", "table_pieces"]


class _Pieces:
    """A file to write to that keeps what it is given; columns arrive as buffers, not copied."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[Buffer] = []

    def write(self, data: Any) -> int:
        size = len(data)
        if size:
            self.pieces.append(data if type(data) is bytes else memoryview(data))
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True


def ipc_pieces(schema: Any, batches: Iterable[Any]) -> list[Buffer]:
    """An Arrow IPC file, in the pieces that it is made of."""
    stream = _Pieces()
    with pa.PythonFile(stream, "w") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return stream.pieces


def table_pieces(table: Any) -> list[Buffer]:
    """A table as an Arrow IPC file, in pieces."""
    return ipc_pieces(table.schema, table.to_batches())


def read_ipc(frame: Any) -> Any:
    """The table of an Arrow IPC file in memory, as views of that memory."""
    return pa.ipc.open_file(pa.py_buffer(frame)).read_all()


def _flat_type(dtype: Any) -> list[Any] | None:
    """A type whose arrays are a few buffers: numpy's letter, size in bytes, unit, time zone."""
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return ["U", 8 if pa.types.is_large_string(dtype) else 4]
    if pa.types.is_boolean(dtype):
        return ["b", 1]
    if pa.types.is_timestamp(dtype) or pa.types.is_duration(dtype):
        kind = "M" if pa.types.is_timestamp(dtype) else "m"
        return [kind, 8, dtype.unit, getattr(dtype, "tz", None)]
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        kind = "f" if pa.types.is_floating(dtype) else "iu"[pa.types.is_unsigned_integer(dtype)]
        return [kind, dtype.bit_width // 8]
    return None


def _type_of(kind: str, size: int, unit: str = "", zone: str | None = None) -> Any:
    """The type that `_flat_type` told."""
    if unit:
        return pa.timestamp(unit, zone) if kind == "M" else pa.duration(unit)
    if kind == "U":
        return pa.large_string() if size == 8 else pa.string()
    return pa.bool_() if kind == "b" else pa.from_numpy_dtype(f"{kind}{size}")


def flat_array(column: Any) -> tuple[list[Any], int, int, list[Buffer | None]] | None:
    """A chunked array as its type, length, count of nulls and buffers, cut to what belongs to it.

    None if the type is made of others, or there is no array or too much text for one.
    """
    kind = _flat_type(column.type)
    if kind is None:
        return None
    try:
        array = pa.concat_arrays(column.chunks) if column.num_chunks > 1 else column.chunk(0)
    except (pa.ArrowInvalid, IndexError):  # too long; no chunk at all
        return None
    start, rows, size = array.offset, len(array), kind[1]

    def view(buffer: Any) -> np.ndarray[Any, Any]:
        return np.frombuffer(buffer or b"", np.uint8)

    def bits(buffer: Any) -> np.ndarray[Any, Any]:
        if start % 8 == 0:
            return view(buffer)[start // 8 : (start + rows + 7) // 8]
        flags = np.unpackbits(view(buffer), bitorder="little")[start : start + rows]
        return np.packbits(flags, bitorder="little")

    valid, first, *text = array.buffers()
    found = [bits(first) if kind[0] == "b" else view(first)[start * size : (start + rows) * size]]
    if text:
        ends = (
            np.frombuffer(first, f"i{size}")[start : start + rows + 1]
            if rows
            else np.zeros(1, f"i{size}")
        )
        found = [
            (ends - ends[0] if ends[0] else ends).view(np.uint8),
            view(text[0])[ends[0] : ends[-1]],
        ]
    nulls = array.null_count
    return kind, rows, nulls, [bits(valid).data if nulls else None, *[part.data for part in found]]


def from_flat(kind: list[Any], rows: int, nulls: int, buffers: Sequence[Any]) -> Any:
    """The array that `flat_array` took apart, as views of the buffers."""
    given = [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(_type_of(*kind), rows, given, nulls)


def _types(dtype: Any) -> Iterable[Any]:
    yield dtype
    if isinstance(dtype, pa.DictionaryType):
        yield from _types(dtype.value_type)
    for place in range(dtype.num_fields):
        yield from _types(dtype.field(place).type)


class Table(Format):
    """Tables and record batches, schema and metadata included.

    Left to pickle: extension types, because a reader that does not know them would get their
    storage; and dictionaries in several chunks, of which an IPC file holds only one.
    """

    encoding = "pyarrow.ipc/1"
    suffix = ".arrow"
    libraries = ("pyarrow",)

    def claims(self, value: Any) -> bool:
        if type(value) not in (pa.Table, pa.RecordBatch):
            return False
        if type(value) is pa.Table and not value.num_columns and value.num_rows:
            return False  # a file would count no rows
        chunked = type(value) is pa.Table and any(c.num_chunks > 1 for c in value.columns)
        for field in value.schema:
            for dtype in _types(field.type):
                if isinstance(dtype, pa.BaseExtensionType):
                    return False
                if chunked and isinstance(dtype, pa.DictionaryType):
                    return False
        return True

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        single = type(value) is pa.RecordBatch
        pieces = ipc_pieces(value.schema, [value]) if single else table_pieces(value)
        return ({"batch": True} if single else {}), [pieces]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        if header.get("batch"):
            return pa.ipc.open_file(pa.py_buffer(frames[0])).get_batch(0)
        return read_ipc(frames[0])


def _reduce_array(array: Any) -> Any:
    """A slice pickles all that it was cut from; copy it out if that is much more."""
    try:
        if array.get_total_buffer_size() <= 2 * array.nbytes + 1024:
            return NotImplemented
        return pa.concat_arrays([array]).__reduce_ex__(5)
    except pa.ArrowException:
        return NotImplemented  # a type that cannot tell its size or be copied


def _reduce_scalar(scalar: Any) -> Any:
    """Arrow pickles the Python value, which has no nanoseconds and not every type."""
    try:
        return operator.getitem, (pa.repeat(scalar, 1), 0)
    except pa.ArrowException:
        return NotImplemented


register(pa.Table, Table())
register(pa.RecordBatch, Table())
register(pa.Array, reduce=_reduce_array, subclasses=True)
register(pa.Scalar, reduce=_reduce_scalar, subclasses=True)
