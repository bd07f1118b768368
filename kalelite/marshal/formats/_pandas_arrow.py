"""pandas frames and series as Arrow IPC files: Feather, which pyarrow, polars and others open.

The bytes that come back are those of the tree of `_pandas`: each block of the frame as it lay in
memory, mapped and not read. Arrow's columns are a view of the same bytes, for others: what Arrow
would change on the way (the labels, the missing object that a text stands beside, the block that
columns share) does not pass through it. Only what Arrow holds in another way is written once
more, and it is small: a bit for each missing value and each boolean, a few categories.

A column that Arrow has no type for is there but not in view; the file's metadata name it under
"kalelite.hidden". An index is the last columns, as pandas' own Feather has it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kalelite.marshal.formats._data import encode_tree, read_tree
from kalelite.marshal.formats._ipc import BOOL, NOTHING, TEXT, Column, Kind, Span, ipc_file, kind_of
from kalelite.marshal.formats._objects import utf8_of
from kalelite.marshal.registry import Buffer, Format, Frame
from kalelite.marshal.tree import Node, Reader, Writer

__all__ = ["ArrowFile", "is_large"]

_LARGE = 65_536
"""Smaller ones share a file with their manifest, which nobody else could open."""

_WORD = 8
"""What an object takes, in addresses, by a rough guess."""


def _blocks(value: Any) -> Sequence[Any]:
    found: Sequence[Any] = value._mgr.blocks  # noqa: SLF001 - blocks have no public reader
    return found


def is_large(value: Any) -> bool:
    """Whether it gets a file of its own, and one that shows anything.

    What lies row by row in memory, as ``frame.T`` does, has no columns that Arrow could see.
    """
    blocks = _blocks(value)
    if sum(b.values.nbytes * (_WORD if b.dtype == object else 1) for b in blocks) <= _LARGE:
        return False
    return any(
        not isinstance(block.values, np.ndarray)
        or block.values.ndim == 1
        or block.values.flags.c_contiguous
        or not block.values.flags.f_contiguous
        for block in blocks
    )


class _Recorder(Writer):
    """A writer that knows what was written as the n-th."""

    def __init__(self) -> None:
        super().__init__(patient=False)
        self.nodes: dict[int, Node] = {}

    def put(self, value: Any, key: Hashable = None) -> Node:
        node = super().put(value, key)
        number = self._numbers.get(id(value) if key is None else key)
        if number is not None:
            self.nodes.setdefault(number, node)
        return node


class ArrowFile(Format):
    """A frame or series of more than 64 KiB."""

    encoding = "pandas.ipc/1"
    suffix = ".arrow"

    def claims(self, value: Any) -> bool:
        return is_large(value)

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        writer = _Recorder()
        node = writer.put(value)
        frames: list[Buffer] = [encode_tree(node), *map(_one, writer.frames)]
        sizes = [memoryview(frame).nbytes for frame in frames]
        columns, metadata = _View(frames, writer.nodes).columns(value, node)
        pieces, places = ipc_file(frames, columns, len(value), metadata)
        spans = list(zip(places, sizes, strict=False))
        return {"frames": spans, "libraries": sorted(writer.libraries)}, [pieces]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        return read_tree([frames[0][start : start + size] for start, size in header["frames"]])


def _one(frame: Frame) -> Buffer:
    """A frame in one piece; only tables inside a frame come in several."""
    return b"".join(map(bytes, frame)) if isinstance(frame, list) else frame  # type: ignore[return-value]


class _View:
    """What Arrow can see of the frames of a tree; it adds frames for what it holds otherwise."""

    def __init__(self, frames: list[Buffer], nodes: Mapping[int, Node]) -> None:
        self.frames = frames  # before those of the tree stands the tree
        self.nodes = nodes
        self.dictionaries: dict[int, Column] = {}

    # ---- which columns there are, and what they are called

    def columns(self, value: Any, node: Node) -> tuple[dict[str, Column], dict[str, str]]:
        """Columns by name, and the metadata of the file."""
        given: dict[int, Column | None] = {}
        if node[0] == "pandas.series":
            labels, names = node[1], ["0" if value.name is None else _name(value.name)]
            given[0] = next(self.seen(node[2]), None)
        else:
            labels, names = node[1][1], list(map(_name, value.columns))
            for block, (_, values) in zip(_blocks(value), node[2], strict=True):
                given.update(zip(block.mgr_locs.as_array.tolist(), self.seen(values), strict=False))
        found: dict[str, Column] = {}
        hidden = []
        for place, name in enumerate(names):
            if (column := given.get(place)) is None:
                hidden.append(name)
            else:
                found[_free(name, found)] = column
        metadata = {"pandas": json.dumps(self.index(value.index, labels, found, hidden))}
        if hidden:
            metadata["kalelite.hidden"] = json.dumps(hidden)
        return found, metadata

    def index(
        self, index: Any, node: Node, found: dict[str, Column], hidden: list[str]
    ) -> dict[str, Any]:
        """Append the columns of the index; what pandas has to know of them."""
        node = self.resolve(node)
        entries: list[Any] = []
        described = []
        if node[0] == "pandas.range":
            start, stop, step, name = node[1:]
            name = name if type(name) is str else None
            entries.append(
                {"kind": "range", "name": name, "start": start, "stop": stop, "step": step}
            )
        for level, column in enumerate(self.levels(node)):
            if column is None:
                hidden.append(f"__index_level_{level}__")
            else:
                name = index.names[level] if type(index.names[level]) is str else None
                field = _free(
                    name if name and _name(name) == name else f"__index_level_{level}__", found
                )
                found[field] = column
                entries.append(field)
                described.append(
                    {"name": name, "field_name": field, "pandas_type": "unknown",
                     "numpy_type": "object", "metadata": None}
                )  # fmt: skip
        return {"index_columns": entries, "column_indexes": [], "columns": described}

    def levels(self, node: Node) -> Iterator[Column | None]:
        """The columns of an index; a range is none."""
        if node[0] == "pandas.multi":
            for level, codes in zip(node[1], node[2], strict=True):
                yield self.numbered(codes, level)
        elif node[0] != "pandas.range":
            yield next(self.seen(node), None)

    # ---- what a node shows

    def resolve(self, node: Node) -> Node:
        """The node itself, not that it is the same as another."""
        return self.nodes[node[1]] if type(node) is list and node[0] == "same" else node

    def seen(self, node: Node) -> Iterator[Column | None]:
        """The columns that a node of values is: two dimensions are a block, a column in each row."""
        kind, *args = self.resolve(node)
        if kind == "numpy.array":
            yield from self.texts(args) if args[0] == "" else self.numbers(node)
        elif kind in {"pandas.datetimes", "pandas.timedeltas"}:
            yield from self.numbers(args[0], zone=args[1])
        elif kind in {"pandas.integers", "pandas.floats", "pandas.booleans"}:
            yield from self.numbers(args[0], missing=self.array(args[1]))
        elif kind == "pandas.categorical":
            yield self.numbered(*args)
        elif kind == "pandas.arrow" and type(args[0][0]) is list:
            yield self.buffers(*args[0])
        elif kind == "pandas.range":
            numbers = np.arange(*args[:3], dtype=np.int64)
            yield self.column(_WHOLE, numbers.size, None, self.add(numbers.view(np.uint8).data))
        elif kind in _WRAPPED:
            yield from self.seen(args[_WRAPPED[kind]])

    def numbers(
        self, node: Node, zone: str | None = None, missing: Any = None
    ) -> Iterator[Column | None]:
        _, header, _, frame = self.resolve(node)
        dtype = np.dtype(header.get("dtype", "V"))
        unit, step = np.datetime_data(dtype) if dtype.kind in "mM" else ("", 1)
        kind = kind_of(dtype.kind, dtype.itemsize, unit, zone)
        if kind is None or not dtype.isnative or step != 1 or "axes" in header:
            return
        for number, row in enumerate(np.atleast_2d(self.array(node).reshape(header["shape"]))):
            if unit:
                missing = np.isnat(row)
            part = (frame + 1, number * row.nbytes, row.nbytes)
            span = self.bits(row) if kind is BOOL else part
            yield self.column(kind, row.size, missing, span)

    def texts(self, args: list[Node]) -> Iterator[Column | None]:
        for run, *parts in args[3]:
            if run == "utf8":
                yield self.text(*parts)
            elif run == "pool":
                yield self.numbered(parts[0], parts[1])
            else:
                yield self.listed(self.items(parts[0])) if run == "list" else None

    def text(self, data: Node, ends: Node, places: Node, others: Node) -> Column | None:
        spans = self.frame(self.resolve(ends)[3]), self.frame(data[1])
        rows = spans[0][2] // 8 - 1
        missing = np.zeros(rows, np.bool_)
        missing[self.array(places)] = True
        good = all(map(self.is_missing, others[1:2] if others[0] == "repeat" else others[1:]))
        return self.column(TEXT, rows, missing, *spans) if good else None

    def listed(self, items: Sequence[Node]) -> Column | None:
        """Strings that stand in the tree itself."""
        missing = np.fromiter(map(self.is_missing, items), np.bool_, len(items))
        texts = ["" if skip else item for item, skip in zip(items, missing, strict=True)]
        if not all(type(text) is str for text in texts):
            return None
        kind, data, ends = utf8_of(np.fromiter(texts, object, len(texts)))
        spans = self.add(ends.view(np.uint8).data), self.add(data)
        return self.column(TEXT, len(texts), missing, *spans) if kind == "utf8" else None

    def numbered(self, codes: Node, values: Node, ordered: bool = False) -> Column | None:
        """Values, and a number of one for each place, or of none."""
        column, dictionary = next(self.seen(codes), None), self.dictionary(values)
        if column is None or dictionary is None:
            return None
        numbers = self.array(codes)
        missing = (numbers < 0) | (numbers >= dictionary.rows)
        span = column.buffers[1]
        if missing.any():  # some readers look at the numbers of what is missing too
            span = self.add(np.where(missing, 0, numbers).astype(numbers.dtype).view(np.uint8).data)
        return self.column(
            column.kind, column.rows, missing, span, dictionary=dictionary, ordered=ordered
        )

    def dictionary(self, node: Node) -> Column | None:
        """Values to be numbered; the missing ones, which come last, are left out."""
        node = self.resolve(node)
        if id(node) not in self.dictionaries:
            inline = node[0] in {"tuple", "repeat"}
            column = self.listed(self.items(node)) if inline else next(self.seen(node), None)
            if column is None or column.dictionary is not None or column.kind is BOOL:
                return None
            rows = column.rows - column.nulls
            spans = list(column.buffers[1:])
            if column.nulls:
                valid = np.frombuffer(memoryview(self.frames[column.buffers[0][0]]), np.uint8)
                if (
                    column.kind is not TEXT
                    or not np.unpackbits(valid, bitorder="little")[:rows].all()
                ):
                    return None
                spans[0] = (spans[0][0], 0, 8 * (rows + 1))
            self.dictionaries[id(node)] = Column(column.kind, rows, 0, (NOTHING, *spans))
        return self.dictionaries[id(node)]

    def buffers(self, kind: Node, rows: int, nulls: int, parts: list[int | None]) -> Column | None:
        """An array of Arrow's own."""
        found = kind_of(*kind)
        spans = tuple([NOTHING if part is None else self.frame(part) for part in parts])
        return None if found is None else Column(found, rows, nulls, spans)

    # ---- bytes

    def column(self, kind: Kind, rows: int, missing: Any, *spans: Span, **more: Any) -> Column:
        """A column, with a bit for each place where nothing is missing if something is."""
        nulls = 0 if missing is None else int(missing.sum())
        valid = self.bits(~missing) if nulls else NOTHING
        return Column(kind, rows, nulls, (valid, *spans), **more)

    def bits(self, flags: np.ndarray[Any, Any]) -> Span:
        return self.add(np.packbits(flags, bitorder="little").data)

    def add(self, data: Buffer) -> Span:
        """One more frame."""
        self.frames.append(data)
        return self.whole(len(self.frames) - 1)

    def whole(self, frame: int) -> Span:
        return frame, 0, memoryview(self.frames[frame]).nbytes

    def frame(self, number: int) -> Span:
        """A frame of the tree."""
        return self.whole(number + 1)

    def array(self, node: Node) -> np.ndarray[Any, Any]:
        """What an array in the tree holds."""
        _, header, _, frame = self.resolve(node)
        return np.frombuffer(memoryview(self.frames[frame + 1]), header["dtype"])

    def items(self, node: Node) -> list[Node]:
        """The nodes of a tuple."""
        kind, *args = node
        return args if kind == "tuple" else [args[0]] * args[1]

    def is_missing(self, node: Node) -> bool:
        """Whether it is one of the objects that pandas takes for no value."""
        node = self.resolve(node)
        if type(node) is list:
            return node[0] in _MISSING or (node[0] == "float" and math.isnan(Reader(()).get(node)))
        return node is None


_WHOLE = Kind(2, {0: ("i", 64), 1: ("?", True)})
_MISSING = frozenset({"pandas.na", "pandas.nat"})
_WRAPPED = {
    "pandas.text": 1,
    "pandas.index": 0,
    "pandas.datetime-index": 0,
    "pandas.timedelta-index": 0,
    "pandas.categorical-index": 0,
}
"""Nodes whose values are in an inner node, and where."""


def _name(label: Any) -> str:
    """What a column is called whose label is no text, or no Unicode."""
    return str(label).encode("utf-8", "backslashreplace").decode()


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number if it is taken."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    return free
