"""Values as data: a tree in JSON, with the large parts in frames beside it.

A node is null, true, false, a number or a string, which stand for themselves, or a list: the
node's *kind* and what belongs to it. A kind of a library, such as ``pandas.frame``, is known to
the module that formats the library's values. A list, dict, set or object that stands in several
places is written once; ``["same", n]`` is the one whose writing began as the n-th.

Reading runs no code but kalelite's and the library's own.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from kalelite.marshal.registry import (
    Buffer,
    Frame,
    UnfitError,
    format_for_encoding,
    formats_of,
    wake,
)

__all__ = ["Node", "Reader", "Writer", "register_node"]

Node = Any
"""What JSON can say."""

_ITSELF = 1 << 63
_PATIENCE = 4_096

_writers: dict[type, tuple[str, Callable[[Any, Writer], list[Node]]]] = {}
_readers: dict[str, Callable[[list[Node], Reader], Any]] = {}


def register_node(
    cls: type,
    kind: str,
    write: Callable[[Any, Writer], list[Node]],
    read: Callable[[list[Node], Reader], Any],
) -> None:
    """Let instances of exactly `cls` stand in a tree: `write` gives what belongs to the node."""
    _writers[cls] = (kind, write)
    _readers[kind] = read


class Writer:
    """Turns a value into a node and frames.

    `patient` says whether it takes values that a pickle stores in a fraction of the time.
    """

    def __init__(self, *, patient: bool) -> None:
        self.patient = patient
        self.frames: list[Frame] = []
        self.libraries: set[str] = set()
        self._numbers: dict[Hashable, int] = {}
        self._alive: list[Any] = []

    def frame(self, data: Frame) -> int:
        """Put bytes into a frame; its number."""
        self.frames.append(data)
        return len(self.frames) - 1

    def put(self, value: Any, key: Hashable = None) -> Node:
        """The node of a value; `key` is what tells it from others, by default its identity.

        Raises
        ------
        UnfitError
            It is not data.
        """
        cls = type(value)
        if cls is str or cls is bool or value is None:
            return value
        if simple := _SIMPLE.get(cls):
            return simple(self, value)
        key = id(value) if key is None else key
        if key in self._numbers:
            return ["same", self._numbers[key]]
        self._numbers[key] = len(self._numbers)
        self._alive.append(value)
        if container := _CONTAINERS.get(cls):
            return container(self, value)
        return self._object(value)

    def items(self, values: Sequence[Any]) -> list[Node]:
        """The nodes of several values.

        Raises
        ------
        UnfitError
            They are so many that a pickle is the better place for them.
        """
        if len(values) > _PATIENCE and not self.patient:
            raise UnfitError(f"{len(values):,} objects are pickled faster")
        return list(map(self.put, values))

    def _object(self, value: Any) -> Node:
        cls = type(value)
        candidates = formats_of(value)  # which wakes the library's module
        if cls in _writers:
            kind, write = _writers[cls]
            self.libraries.add(kind.partition(".")[0])
            return [kind, *write(value, self)]
        for item in candidates:
            if not item.runs_code and item.claims(value):
                header, frames = item.dump(value)
                self.libraries |= {*item.libraries, *header.pop("libraries", ())}
                start = len(self.frames)
                self.frames.extend(frames)
                return ["format", item.encoding, header, start, len(frames)]
        raise UnfitError("only a pickle keeps it as it is")


class Reader:
    """Turns nodes back into values."""

    def __init__(self, frames: Sequence[memoryview]) -> None:
        self.frames = frames
        self._values: list[Any] = []

    def get(self, node: Node) -> Any:
        """The value of a node."""
        if type(node) is not list:
            return node
        kind, *args = node
        if read := _READ_SIMPLE.get(kind):
            return read(self, args)
        number = len(self._values)
        self._values.append(None)
        if kind in _READ_CONTAINERS:
            return _READ_CONTAINERS[kind](self, args, number)
        value = self._values[number] = self._object(kind, args)
        return value

    def items(self, nodes: Sequence[Node]) -> list[Any]:
        """The values of several nodes."""
        return list(map(self.get, nodes))

    def same(self, number: int) -> Any:
        """The value that was begun as the n-th."""
        return self._values[number]

    def begin(self, number: int, value: Any) -> Any:
        """Note a container before its contents, which may refer to it."""
        self._values[number] = value
        return value

    def _object(self, kind: str, args: list[Node]) -> Any:
        if kind == "format":
            encoding, header, start, count = args
            item = format_for_encoding(encoding)
            if item.runs_code:
                raise ValueError(f"a {encoding} in a tree of data")
            return item.load(header, self.frames[start : start + count])
        if kind not in _readers:
            wake(kind.partition(".")[0])
        if kind not in _readers:
            raise LookupError(f"nothing here reads a {kind}")
        return _readers[kind](args, self)


# ---- what Python brings along


def _write_bytes(writer: Writer, value: Buffer) -> Node:
    return ["bytes", writer.frame(bytes(value))]


def _write_time(writer: Writer, value: dt.datetime) -> Node:
    del writer
    if value.tzinfo is not None:
        raise UnfitError("only a pickle keeps its time zone")
    return ["datetime", value.isoformat(), value.fold]


def _write_float(writer: Writer, value: float) -> Node:
    del writer
    return value if math.isfinite(value) else ["float", struct.pack(">d", value).hex()]


def _write_int(writer: Writer, value: int) -> Node:
    del writer
    return value if -_ITSELF <= value < _ITSELF else ["int", hex(value)]


_SIMPLE: dict[type, Callable[[Writer, Any], Node]] = {
    float: _write_float,
    int: _write_int,
    bytes: _write_bytes,
    tuple: lambda writer, value: ["tuple", *writer.items(value)],
    frozenset: lambda writer, value: ["frozenset", *writer.items(list(value))],
    complex: lambda _, value: ["complex", struct.pack(">dd", value.real, value.imag).hex()],
    dt.datetime: _write_time,
    dt.date: lambda _, value: ["date", value.isoformat()],
    dt.timedelta: lambda _, value: [
        "timedelta",
        value.days,
        value.seconds,
        value.microseconds,
    ],
}
"""Values whose identity does not matter."""

_READ_SIMPLE: dict[str, Callable[[Reader, list[Node]], Any]] = {
    "same": lambda reader, args: reader.same(args[0]),
    "float": lambda _, args: struct.unpack(">d", bytes.fromhex(args[0]))[0],
    "int": lambda _, args: int(args[0], 16),
    "complex": lambda _, args: complex(*struct.unpack(">dd", bytes.fromhex(args[0]))),
    "bytes": lambda reader, args: bytes(reader.frames[args[0]]),
    "frame": lambda reader, args: reader.frames[args[0]],
    "repeat": lambda reader, args: (reader.get(args[0]),) * args[1],
    "tuple": lambda reader, args: tuple(reader.items(args)),
    "frozenset": lambda reader, args: frozenset(reader.items(args)),
    "datetime": lambda _, args: dt.datetime.fromisoformat(args[0]).replace(fold=args[1]),
    "date": lambda _, args: dt.date.fromisoformat(args[0]),
    "timedelta": lambda _, args: dt.timedelta(*args),
}


def _write_dict(writer: Writer, value: Mapping[Any, Any]) -> Node:
    if all(type(key) is str for key in value):
        return ["dict", dict(zip(value, writer.items(list(value.values())), strict=True))]
    return ["pairs", [[writer.put(key), writer.put(item)] for key, item in value.items()]]


def _write_ordered(writer: Writer, value: OrderedDict[Any, Any]) -> Node:
    pairs = [[writer.put(key), writer.put(item)] for key, item in value.items()]
    return ["ordered", pairs, writer.put(dict(vars(value)))]


_CONTAINERS: dict[type, Callable[[Writer, Any], Node]] = {
    list: lambda writer, value: ["list", *writer.items(value)],
    dict: _write_dict,
    OrderedDict: _write_ordered,
    set: lambda writer, value: ["set", *writer.items(list(value))],
    bytearray: lambda writer, value: ["bytearray", writer.frame(bytes(value))],
}


def _read_list(reader: Reader, args: list[Node], number: int) -> Any:
    found: list[Any] = reader.begin(number, [])
    found.extend(map(reader.get, args))
    return found


def _read_dict(reader: Reader, args: list[Node], number: int) -> Any:
    found = reader.begin(number, {})
    for key, node in args[0].items():
        found[key] = reader.get(node)
    return found


def _read_pairs(reader: Reader, args: list[Node], number: int) -> Any:
    found: Any = reader.begin(number, OrderedDict() if len(args) > 1 else {})
    for key, node in args[0]:
        name = reader.get(key)
        found[name] = reader.get(node)
    if len(args) > 1:
        vars(found).update(reader.get(args[1]))
    return found


def _read_set(reader: Reader, args: list[Node], number: int) -> Any:
    found: set[Any] = reader.begin(number, set())
    found.update(map(reader.get, args))
    return found


_READ_CONTAINERS: dict[str, Callable[[Reader, list[Node], int], Any]] = {
    "list": _read_list,
    "dict": _read_dict,
    "pairs": _read_pairs,
    "ordered": _read_pairs,
    "set": _read_set,
    "bytearray": lambda reader, args, number: reader.begin(
        number, bytearray(reader.frames[args[0]])
    ),
}
