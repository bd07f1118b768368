"""pandas frames, series and indexes as trees of data: each block of a frame is a frame of bytes.

What is in no tree (intervals, periods, sparse columns, time zones without a name, subclasses,
objects that are neither text nor few) is left to pickle, which keeps it too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from kalelite.marshal.formats._data import Tree
from kalelite.marshal.formats._pandas_arrow import ArrowFile, is_large
from kalelite.marshal.registry import UnfitError, register
from kalelite.marshal.tree import Node, Reader, Writer, register_node

__all__: list[str] = []

pd: Any = importlib.import_module("pandas")  # typed on some machines only
# What pandas' own pickles are made with, and so will be there for long.
_unpickle_block: Any = vars(importlib.import_module("pandas._libs.internals"))["_unpickle_block"]
_THREE = int(pd.__version__.partition(".")[0]) >= 3
_managers: Any = importlib.import_module("pandas.core.internals")


# ---- frames


def _write_block(block: Any, writer: Writer) -> Node:
    places = block.mgr_locs
    if places.is_slice_like:
        where = places.as_slice
        span: Node = {"from": where.start, "to": where.stop, "by": where.step}
    else:
        span = writer.put(places.as_array)
    return [span, writer.put(block.values)]


def _read_block(node: Node, ndim: int, reader: Reader) -> Any:
    span, values = node
    if isinstance(span, dict):
        places: Any = slice(span["from"], span["to"], span["by"])
    else:
        places = reader.get(span)
    return _unpickle_block(reader.get(values), places, ndim)


def _state(value: Any, manager: Any, reader: Reader, attrs: Node, unique: bool) -> dict[str, Any]:
    return {
        "_mgr": manager,
        "_typ": value._typ,  # noqa: SLF001 - what pandas' own pickles say
        "_metadata": value._metadata,  # noqa: SLF001 - likewise
        "attrs": reader.get(attrs),
        "_flags": {"allows_duplicate_labels": not unique},
    }


def _write_frame(value: Any, writer: Writer) -> list[Node]:
    manager = value._mgr  # noqa: SLF001 - blocks have no public reader
    axes = [writer.put(axis) for axis in manager.axes]
    blocks = [_write_block(block, writer) for block in manager.blocks]
    return [axes, blocks, writer.put(value.attrs), not value.flags.allows_duplicate_labels]


def _read_frame(args: list[Node], reader: Reader) -> Any:
    axes, blocks, attrs, unique = args
    labels = reader.items(axes)
    found = tuple([_read_block(block, 2, reader) for block in blocks])
    frame = pd.DataFrame.__new__(pd.DataFrame)
    manager = _managers.BlockManager(found, labels)
    frame.__setstate__(_state(pd.DataFrame, manager, reader, attrs, unique))
    return frame


def _write_series(value: Any, writer: Writer) -> list[Node]:
    block = value._mgr.blocks[0]  # noqa: SLF001 - as above
    parts = [value.index, block.values, value.name, value.attrs]
    return [*map(writer.put, parts), not value.flags.allows_duplicate_labels]


def _read_series(args: list[Node], reader: Reader) -> Any:
    index, values, name, attrs, unique = args
    labels, data = reader.get(index), reader.get(values)
    series = pd.Series.__new__(pd.Series)
    title = reader.get(name)
    block = _unpickle_block(data, slice(0, len(labels), 1), 1)
    manager = _managers.SingleBlockManager(block, labels)
    state = _state(pd.Series, manager, reader, attrs, unique)
    series.__setstate__({**state, "_name": title})
    return series


# ---- indexes


def _write_index(value: Any, writer: Writer) -> list[Node]:
    return [writer.put(value._values), writer.put(value.name)]  # noqa: SLF001 - what it is made of


def _index_reader(cls: Any) -> Callable[[list[Node], Reader], Any]:
    def read(args: list[Node], reader: Reader) -> Any:
        values, name = reader.items(args)
        return cls._simple_new(values, name)  # what pandas' own pickles come down to

    return read


def _write_range(value: Any, writer: Writer) -> list[Node]:
    return [value.start, value.stop, value.step, writer.put(value.name)]


def _read_range(args: list[Node], reader: Reader) -> Any:
    start, stop, step, name = args
    return pd.RangeIndex(start, stop, step, name=reader.get(name))


def _write_multi(value: Any, writer: Writer) -> list[Node]:
    levels = [writer.put(level) for level in value.levels]
    codes = [writer.put(np.asarray(code)) for code in value.codes]
    return [levels, codes, [writer.put(name) for name in value.names], value.sortorder]


def _read_multi(args: list[Node], reader: Reader) -> Any:
    levels, codes = reader.items(args[0]), reader.items(args[1])
    names, order = reader.items(args[2]), args[3]
    return pd.MultiIndex(
        levels=levels,
        codes=codes,
        names=names,
        sortorder=order,
        copy=False,
        verify_integrity=False,
    )


# ---- extension arrays


def _zone(dtype: Any) -> str | None:
    """The name of a time zone that the name alone brings back."""
    if isinstance(dtype, np.dtype):
        return None
    name = str(dtype.tz)
    if type(dtype)(dtype.unit, name) == dtype and type(dtype)(dtype.unit, name).tz is dtype.tz:
        return name
    raise UnfitError(f"only a pickle keeps its time zone {name}")


def _frequency(value: Any) -> str | None:
    """Of an index of times; before pandas 3 it stood in the array under the index."""
    if getattr(value, "freq", None) is None:
        return None
    text: str = value.freq.freqstr
    again = pd.tseries.frequencies.to_offset(text)
    if again != value.freq or type(again) is not type(value.freq):
        raise UnfitError(f"only a pickle keeps its frequency {value.freq!r}")
    return text


def _write_times(value: Any, writer: Writer) -> list[Node]:
    zone = _zone(value.dtype)
    return [writer.put(value._ndarray), zone, _frequency(value)]  # noqa: SLF001 - no public reader


def _times_reader(cls: Any) -> Callable[[list[Node], Reader], Any]:
    def read(args: list[Node], reader: Reader) -> Any:
        data, zone, freq = args
        times = reader.get(data)
        dtype = times.dtype
        if zone is not None:
            dtype = pd.DatetimeTZDtype(np.datetime_data(dtype)[0], zone)
        value = cls._simple_new(times, dtype=dtype)
        if freq is not None:
            value._freq = pd.tseries.frequencies.to_offset(freq)  # noqa: SLF001 - the setter computes
        return value

    return read


def _write_time_index(value: Any, writer: Writer) -> list[Node]:
    return [*_write_index(value, writer), _frequency(value)]


def _time_index_reader(cls: Any) -> Callable[[list[Node], Reader], Any]:
    def read(args: list[Node], reader: Reader) -> Any:
        values, name = reader.items(args[:2])
        index = cls._simple_new(values, name)
        freq = None if args[2] is None else pd.tseries.frequencies.to_offset(args[2])
        home = values if hasattr(type(values), "freq") else index
        home._freq = freq  # noqa: SLF001 - the setter computes
        return index

    return read


def _write_categorical(value: Any, writer: Writer) -> list[Node]:
    return [writer.put(np.asarray(value.codes)), writer.put(value.categories), value.ordered]


def _read_categorical(args: list[Node], reader: Reader) -> Any:
    codes, categories, ordered = args
    places = reader.get(codes)
    places.flags.writeable = True
    dtype = pd.CategoricalDtype(reader.get(categories), ordered)
    return pd.Categorical._simple_new(places, dtype)  # noqa: SLF001 - from_codes reads all codes


def _write_masked(value: Any, writer: Writer) -> list[Node]:
    return [writer.put(value._data), writer.put(value._mask)]  # noqa: SLF001 - no public reader


def _masked_reader(cls: Any) -> Callable[[list[Node], Reader], Any]:
    return lambda args, reader: cls(*reader.items(args))


def _write_text(value: Any, writer: Writer) -> list[Node]:
    missing = value.dtype.na_value is pd.NA
    return [missing, writer.put(np.asarray(value._ndarray))]  # noqa: SLF001 - no public reader


def _read_text(args: list[Node], reader: Reader) -> Any:
    return _texts("python", args[0], reader.get(args[1]))


def _texts(storage: str, missing: bool, values: Any) -> Any:
    """An array of text, whose missing values are NA or NaN."""
    dtype = pd.StringDtype(storage, *([] if missing else [np.nan]))  # which pandas 2.1 has not
    return dtype.construct_array_type()(values, **({"dtype": dtype} if _THREE else {}))


def _write_arrow(value: Any, writer: Writer) -> list[Node]:
    """Its buffers, where the type is a simple one; else a table."""
    from kalelite.marshal.formats import _pyarrow

    column, dtype = value._pa_array, value.dtype  # noqa: SLF001 - __arrow_array__ would copy
    text = [dtype.na_value is pd.NA] if isinstance(dtype, pd.StringDtype) else []
    writer.libraries.add("pyarrow")
    if (flat := _pyarrow.flat_array(column)) is None:
        return [writer.put(_pyarrow.pa.table({"": column})), *text]
    kind, rows, nulls, buffers = flat
    frames = [buffer if buffer is None else writer.frame(buffer) for buffer in buffers]
    return [[kind, rows, nulls, frames], *text]


def _read_arrow(args: list[Node], reader: Reader) -> Any:
    from kalelite.marshal.formats import _pyarrow

    if type(args[0][0]) is list:
        kind, rows, nulls, frames = args[0]
        buffers = [frame if frame is None else reader.frames[frame] for frame in frames]
        column = _pyarrow.from_flat(kind, rows, nulls, buffers)
    else:
        column = reader.get(args[0]).column(0)
    if len(args) == 1:
        return pd.arrays.ArrowExtensionArray(column)
    return _texts("pyarrow", args[1], column)


def _register() -> None:
    register_node(pd.DataFrame, "pandas.frame", _write_frame, _read_frame)
    register_node(pd.Series, "pandas.series", _write_series, _read_series)
    register_node(pd.Index, "pandas.index", _write_index, _index_reader(pd.Index))
    register_node(pd.RangeIndex, "pandas.range", _write_range, _read_range)
    register_node(pd.MultiIndex, "pandas.multi", _write_multi, _read_multi)
    for name, cls in {"datetime": pd.DatetimeIndex, "timedelta": pd.TimedeltaIndex}.items():
        register_node(cls, f"pandas.{name}-index", _write_time_index, _time_index_reader(cls))
    cls = pd.CategoricalIndex
    register_node(cls, "pandas.categorical-index", _write_index, _index_reader(cls))
    for name, cls in {
        "datetimes": pd.arrays.DatetimeArray,
        "timedeltas": pd.arrays.TimedeltaArray,
    }.items():
        register_node(cls, f"pandas.{name}", _write_times, _times_reader(cls))
    register_node(pd.Categorical, "pandas.categorical", _write_categorical, _read_categorical)
    for name, cls in {
        "integers": pd.arrays.IntegerArray,
        "floats": pd.arrays.FloatingArray,
        "booleans": pd.arrays.BooleanArray,
    }.items():
        register_node(cls, f"pandas.{name}", _write_masked, _masked_reader(cls))
    register_node(pd.arrays.StringArray, "pandas.text", _write_text, _read_text)
    register_node(pd.arrays.ArrowStringArray, "pandas.arrow", _write_arrow, _read_arrow)
    register_node(pd.arrays.ArrowExtensionArray, "pandas.arrow", _write_arrow, _read_arrow)
    register_node(type(pd.NA), "pandas.na", lambda _, __: [], lambda _, __: pd.NA)
    register_node(type(pd.NaT), "pandas.nat", lambda _, __: [], lambda _, __: pd.NaT)
    quick = Tree(patient=False, claims=lambda value: not is_large(value))
    for kept in (pd.DataFrame, pd.Series):
        register(kept, ArrowFile(), quick)


_register()
