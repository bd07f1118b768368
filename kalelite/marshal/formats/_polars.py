"""Large polars frames and series as Arrow IPC files; polars' own pickling where Arrow has no such type.

With pyarrow at hand, because the user's code or a library imported it, nothing is copied either
way. Without it polars writes and reads the same file itself.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from pickle import PickleBuffer
from typing import Any

from kalelite.marshal.registry import Format, Frame, register

pl: Any = importlib.import_module("polars")  # typed on some machines only

_LARGE = 65_536
"""Smaller ones share a file with their manifest, which nobody else could open."""

_LARGE_PART = 4 * _LARGE
"""Inside another value, polars' own pickling is as fast up to so many bytes."""

Sorted = dict[str, str]


def _arrow() -> Any:
    """The module that writes Arrow without a copy, if pyarrow is imported already."""
    if "pyarrow" not in sys.modules:
        return None
    from kalelite.marshal.formats import _pyarrow

    return _pyarrow


def _to_arrow(frame: Any) -> Any:
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())


def _has_object(dtype: Any) -> bool:
    inner = getattr(dtype, "inner", None)
    fields = getattr(dtype, "fields", ())
    return (
        dtype == pl.Object
        or (inner is not None and _has_object(inner))
        or any(_has_object(field.dtype) for field in fields)
    )


def _exact(frame: Any, least: int) -> bool:
    """Whether it is so large and every column's type survives, tried on a frame without rows."""
    if frame.estimated_size() < least or any(_has_object(dtype) for dtype in frame.dtypes):
        return False
    empty = frame.clear()
    try:
        if _arrow() is not None:
            return bool(pl.from_arrow(_to_arrow(empty)).schema == frame.schema)
        return bool(pl.read_ipc(io.BytesIO(_written(empty))).schema == frame.schema)
    except Exception:  # polars panics are of its own kind; either way: not exact
        return False


def _written(frame: Any) -> memoryview:
    stream = io.BytesIO()
    frame.write_ipc(stream, compat_level=pl.CompatLevel.newest())
    return stream.getbuffer()


def _sorted(frame: Any) -> Sorted:
    """Which columns polars knows to be sorted, and how."""
    known = {}
    for series in frame:
        if series.flags.get("SORTED_ASC"):
            known[series.name] = "ascending"
        elif series.flags.get("SORTED_DESC"):
            known[series.name] = "descending"
    return known


def rebuild_frame(data: Any, order: Sorted) -> Any:
    """The frame in `data`: a pyarrow table, or an IPC file."""
    if isinstance(data, memoryview | bytes | bytearray | PickleBuffer):
        arrow = _arrow()
        if arrow is None:
            frame = pl.read_ipc(io.BytesIO(data))
        else:
            frame = pl.from_arrow(arrow.read_ipc(data), rechunk=False)
    else:
        frame = pl.from_arrow(data, rechunk=False)
    if not order:
        return frame
    return frame.with_columns(
        frame[name].set_sorted(descending=how == "descending") for name, how in order.items()
    )


def rebuild_series(data: Any, order: Sorted) -> Any:
    """The only column of what `rebuild_frame` gives."""
    return rebuild_frame(data, order).to_series()


class PolarsFrame(Format):
    """A DataFrame, or a Series as a file of one column."""

    encoding = "polars.ipc/1"
    suffix = ".arrow"
    libraries = ("polars",)

    def claims(self, value: Any) -> bool:
        if type(value) is pl.Series:
            return _exact(value.to_frame(), _LARGE)
        return type(value) is pl.DataFrame and _exact(value, _LARGE)

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        frame = value.to_frame() if type(value) is pl.Series else value
        header: dict[str, Any] = {"series": True} if type(value) is pl.Series else {}
        if order := _sorted(frame):
            header["sorted"] = order
        arrow = _arrow()
        if arrow is None:
            return header, [_written(frame)]
        try:
            return header, [arrow.table_pieces(_to_arrow(frame))]
        except arrow.pa.ArrowInvalid:  # each chunk counts its categories anew, the file may not
            return header, [arrow.table_pieces(_to_arrow(frame.rechunk()))]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        rebuild = rebuild_series if header.get("series") else rebuild_frame
        return rebuild(frames[0], header.get("sorted", {}))


def rebuild_objects(columns: list[tuple[str, Any]]) -> Any:
    """A frame with columns of Python objects, each given as a list; the others as series."""
    return pl.DataFrame(
        [
            pl.Series(name, data, dtype=pl.Object) if isinstance(data, list) else data
            for name, data in columns
        ]
    )


def rebuild_object_series(name: str, items: list[Any]) -> Any:
    """A series of Python objects."""
    return pl.Series(name, items, dtype=pl.Object)


def _reduce(value: Any) -> Any:
    """Its own pickling makes a compacted copy in band, and no Python objects."""
    if isinstance(value, pl.Series):
        if value.dtype == pl.Object:
            return rebuild_object_series, (value.name, value.to_list())
    elif pl.Object in value.dtypes:
        columns = [(s.name, s.to_list() if s.dtype == pl.Object else s) for s in value]
        return rebuild_objects, (columns,)
    frame = value.to_frame() if isinstance(value, pl.Series) else value
    if not _exact(frame, _LARGE_PART):
        return NotImplemented
    rebuild = rebuild_series if isinstance(value, pl.Series) else rebuild_frame
    data = PickleBuffer(_written(frame)) if _arrow() is None else _to_arrow(frame)
    return rebuild, (data, _sorted(frame))


register(pl.DataFrame, PolarsFrame(), reduce=_reduce)
register(pl.Series, PolarsFrame(), reduce=_reduce)
