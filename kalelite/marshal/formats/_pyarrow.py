"""pyarrow tables and batches as Arrow IPC files, which Feather is; arrays without their surroundings.

An IPC file is written without copying a column and read without reading one: the columns are
views of the mapped file.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kalelite.marshal.registry import Buffer, Format, Frame, register

pa: Any = importlib.import_module("pyarrow")  # typed on some machines only

_SMALL = 4096
"""What an array may hold beside its own rows."""


_SIMPLE = (pa.BooleanScalar, pa.Int64Scalar, pa.DoubleScalar, pa.StringScalar)
"""Scalars that are no more than a value of Python."""


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


def _types(dtype: Any) -> Iterable[Any]:
    yield dtype
    if isinstance(dtype, pa.DictionaryType):
        yield from _types(dtype.value_type)
    for place in range(dtype.num_fields):
        yield from _types(dtype.field(place).type)


def _names_fields(dtype: Any) -> bool:
    """Whether a map's fields say more than their types; a file would not tell."""
    if not isinstance(dtype, pa.MapType):
        return False
    key, item = dtype.key_field, dtype.item_field
    return (key.name, item.name) != ("key", "value") or bool(key.metadata or item.metadata)


class Table(Format):
    """Tables and record batches, schema and metadata included.

    Left to pickle: extension types, because a reader that does not know them would get their
    storage; maps whose fields have names of their own; and dictionaries in several chunks, of which an IPC file holds only one.
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
                if isinstance(dtype, pa.BaseExtensionType) or _names_fields(dtype):
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
        size = array.get_total_buffer_size()
        if size <= _SMALL or size <= 2 * array.nbytes:
            return NotImplemented
        return pa.concat_arrays([array]).__reduce_ex__(5)
    except pa.ArrowException:
        return NotImplemented  # a type that cannot tell its size or be copied


def _reduce_scalar(scalar: Any) -> Any:
    """Arrow pickles the Python value, which has no nanoseconds and not every type."""
    if isinstance(scalar, _SIMPLE):
        return NotImplemented
    try:
        return operator.getitem, (pa.repeat(scalar, 1), 0)
    except pa.ArrowException:
        return NotImplemented


register(pa.Table, Table())
register(pa.RecordBatch, Table())
register(pa.Array, reduce=_reduce_array, subclasses=True)
register(pa.Scalar, reduce=_reduce_scalar, subclasses=True)
