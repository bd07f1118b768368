"""An Arrow IPC file around bytes that are there already, so that Arrow's readers see columns in them.

Such a file may hold its bytes in any order, and bytes that no column refers to: only its footer
says where the messages are, and only a message where the buffers of its columns are. What
pyarrow would write has each buffer copied into a place of its own instead, so that the columns
of a block of a frame would no longer be one array. It is written out here, which takes a few
tables of flatbuffers, and needs no pyarrow.

The layout is that of ``format/Schema.fbs``, ``Message.fbs`` and ``File.fbs`` of Arrow, version 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kalelite.marshal.registry import ALIGNMENT, Buffer

__all__ = ["BOOL", "NOTHING", "TEXT", "Column", "Kind", "Span", "ipc_file", "kind_of"]

Span = tuple[int, int, int]
"""A run of bytes: the number of a frame, where in it, how many."""

NOTHING: Span = (-1, 0, 0)

_MAGIC = b"ARROW1"
_VERSION = 4  # which is called V5
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of Arrow: its number among the types, and the fields of its table."""

    number: int
    fields: Mapping[int, Any] = field(default_factory=dict)


BOOL, TEXT, _SHORT_TEXT = Kind(6), Kind(20), Kind(5)
_UNITS = ("s", "ms", "us", "ns")


def kind_of(letter: str, size: int, unit: str = "", zone: str | None = None) -> Kind | None:
    """The type for numpy's ``dtype.kind``, its size in bytes and, for times, their unit.

    Text is "U"; its size is that of the numbers that say where each string begins.
    """
    if letter in "bU":
        return BOOL if letter == "b" else TEXT if size == 8 else _SHORT_TEXT
    if letter in "iu":
        return Kind(2, {0: ("i", 8 * size), 1: ("?", letter == "i")})
    if letter == "f" and size in (2, 4, 8):
        return Kind(3, {0: ("h", (2, 4, 8).index(size))})
    if letter in "mM" and unit in _UNITS:
        number = _UNITS.index(unit)
        if letter == "m":
            return Kind(18, {0: ("h", number)})
        return Kind(10, {0: ("h", number)} | ({1: zone} if zone is not None else {}))
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """What Arrow calls an array; its buffers are spans of frames, `NOTHING` where there is none.

    `dictionary` holds the values that the buffers are the numbers of.
    """

    kind: Kind
    rows: int
    nulls: int
    buffers: tuple[Span, ...]
    dictionary: Column | None = None
    ordered: bool = False


# ---- flatbuffers: tables, vectors of tables, vectors of structs, strings


@dataclass(frozen=True, slots=True)
class _Structs:
    form: str
    items: Sequence[tuple[int, ...]]


def _flat(root: Mapping[int, Any]) -> bytes:
    """A flatbuffer. A table is a dict from slots to ``(struct format, scalar)`` or to a child."""
    data = bytearray(8)
    struct.pack_into("<I", data, 0, _table(data, root))
    return bytes(data)


def _align(data: bytearray, size: int, ahead: int = 0) -> None:
    data.extend(bytes(-(len(data) + ahead) % size))


def _table(data: bytearray, slots: Mapping[int, Any]) -> int:
    """Append a table, and after it what it points to; its place."""
    count = max(slots, default=-1) + 1
    places, size = [0] * count, 4
    for slot, value in slots.items():
        width = struct.calcsize(value[0]) if type(value) is tuple else 4
        places[slot] = size + -size % width
        size = places[slot] + width
    head = struct.pack(f"<HH{count}H", 4 + 2 * count, size, *places)
    _align(data, 8, len(head))
    data.extend(head)
    start = len(data)
    data.extend(bytes(size))
    struct.pack_into("<i", data, start, len(head))
    for slot, value in slots.items():
        place = start + places[slot]
        if type(value) is tuple:
            struct.pack_into("<" + value[0], data, place, value[1])
        else:
            child = _child(data, value)
            struct.pack_into("<I", data, place, child - place)
    return start


def _child(data: bytearray, value: Any) -> int:
    if isinstance(value, Mapping):
        return _table(data, value)
    if isinstance(value, bytes):  # a flatbuffer: what it points with is relative
        _align(data, 8)
        start = len(data)
        data.extend(value)
        return start + int.from_bytes(value[:4], "little")
    if isinstance(value, str):
        encoded = value.encode()
        _align(data, 4)
        start = len(data)
        data.extend(struct.pack("<I", len(encoded)) + encoded + b"\0")
        return start
    if isinstance(value, _Structs):
        _align(data, 8, 4)
        start = len(data)
        data.extend(struct.pack("<I", len(value.items)))
        for item in value.items:
            data.extend(struct.pack("<" + value.form, *item))
        return start
    _align(data, 4)
    start = len(data)
    data.extend(struct.pack("<I", len(value)) + bytes(4 * len(value)))
    for number, item in enumerate(value):
        place = start + 4 + 4 * number
        child = _child(data, item)
        struct.pack_into("<I", data, place, child - place)
    return start


# ---- Arrow


class _File:
    """The pieces of a file, and where each frame came to stand."""

    def __init__(self, frames: Sequence[Buffer]) -> None:
        self.frames = frames
        self.pieces: list[Buffer] = [_MAGIC + b"\0\0"]
        self.size = 8
        self.places: dict[int, int] = {}

    def add(self, data: Buffer, size: int) -> None:
        if size:
            self.pieces.append(data)
        self.size += size

    def message(self, kind: int, header: Any, body: int) -> int:
        """Append what goes before a body, so that the body is aligned; how long it is."""
        flat = _flat({0: ("h", _VERSION), 1: ("B", kind), 2: header, 3: ("q", body)})
        flat += bytes(-(self.size + 8 + len(flat)) % ALIGNMENT)
        self.add(struct.pack("<Ii", 0xFFFFFFFF, len(flat)) + flat, 8 + len(flat))
        return 8 + len(flat)

    def batch(
        self, columns: Sequence[Column], rows: int, frames: Iterable[int], number: int | None = None
    ) -> tuple[int, int, int]:
        """Append a batch, of a dictionary if it has a number, with frames as its body."""
        frames, start, size = sorted(frames), {-1: 0}, 0
        for frame in frames:
            start[frame] = size
            size += memoryview(self.frames[frame]).nbytes
            size += -size % ALIGNMENT
        nodes = [(column.rows, column.nulls) for column in columns]
        spans = [span for column in columns for span in column.buffers]
        buffers = [(start[frame] + begin, length) for frame, begin, length in spans]
        header: dict[int, Any] = {
            0: ("q", rows),
            1: _Structs("qq", nodes),
            2: _Structs("qq", buffers),
        }
        kind = _BATCH
        if number is not None:
            kind, header = _DICTIONARY, {0: ("q", number), 1: header}
        place = self.size
        head = self.message(kind, header, size)
        for frame in frames:
            self.places.setdefault(frame, self.size)
            length = memoryview(self.frames[frame]).nbytes
            self.add(self.frames[frame], length)
            self.add(bytes(-length % ALIGNMENT), -length % ALIGNMENT)
        return place, head, size


def _field(name: str, column: Column, numbers: Mapping[int, int]) -> dict[int, Any]:
    kind = column.kind if column.dictionary is None else column.dictionary.kind
    found: dict[int, Any] = {
        0: name, 1: ("?", True), 2: ("B", kind.number), 3: kind.fields, 5: [],
    }  # fmt: skip
    if column.dictionary is not None:
        number = numbers[id(column.dictionary)]
        found[4] = {0: ("q", number), 1: column.kind.fields, 2: ("?", column.ordered)}
    return found


def ipc_file(
    frames: Sequence[Buffer], columns: Mapping[str, Column], rows: int, metadata: Mapping[str, str]
) -> tuple[list[Buffer], list[int]]:
    """The file in pieces, and where in it each of the frames begins.

    A frame that a dictionary and something else refer to is there twice.
    """
    given = list(columns.values())
    values = {id(c.dictionary): c.dictionary for c in given if c.dictionary is not None}
    numbers = {key: number for number, key in enumerate(values)}
    schema = _flat({
        0: ("h", 0),
        1: [_field(name, column, numbers) for name, column in columns.items()],
        2: [{0: key, 1: value} for key, value in metadata.items()],
    })  # fmt: skip
    file = _File(frames)
    file.message(_SCHEMA, schema, 0)
    blocks = [
        file.batch([column], column.rows, _used([column]), numbers[key])
        for key, column in values.items()
    ]
    rest = _used(given) | (set(range(len(frames))) - set(file.places))
    blocks.append(file.batch(given, rows, rest))
    file.add(struct.pack("<Ii", 0xFFFFFFFF, 0), 8)
    footer = _flat({
        0: ("h", _VERSION), 1: schema,
        2: _Structs("qi4xq", blocks[:-1]), 3: _Structs("qi4xq", blocks[-1:]),
    })  # fmt: skip
    end = footer + struct.pack("<i", len(footer)) + _MAGIC
    file.add(end, len(end))
    return file.pieces, [file.places[frame] for frame in range(len(frames))]


def _used(columns: Iterable[Column]) -> set[int]:
    return {frame for column in columns for frame, _, _ in column.buffers if frame >= 0}
