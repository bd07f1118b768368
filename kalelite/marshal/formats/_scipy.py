"""scipy's sparse matrices and arrays in trees of data; by themselves pickle serves them well."""

from __future__ import annotations

import importlib
from typing import Any

from kalelite.marshal.tree import Node, Reader, Writer, register_node

__all__: list[str] = []

sparse: Any = importlib.import_module("scipy.sparse")  # typed on some machines only

_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
}
_KNOWN = ("has_sorted_indices", "has_canonical_format")


def _write(value: Any, writer: Writer) -> list[Node]:
    parts = {part: writer.put(getattr(value, part)) for part in _PARTS[value.format]}
    # What is known already, for finding out takes a pass over the indices.
    known = {name: bool(vars(value)[f"_{name}"]) for name in _KNOWN if f"_{name}" in vars(value)}
    if value.format == "coo":
        known = {"has_canonical_format": bool(value.has_canonical_format)}
    return [type(value).__name__, list(value.shape), parts, known]


def _read(args: list[Node], reader: Reader) -> Any:
    name, shape, parts, known = args
    if name not in _CLASSES:
        raise ValueError(f"no sparse matrix: {name}")
    found = {part: reader.get(node) for part, node in parts.items()}
    value = _CLASSES[name](tuple(shape), dtype=found["data"].dtype)
    for part, data in {**found, **known}.items():
        setattr(value, part, data)
    return value


_CLASSES = {
    f"{form}_{kind}": getattr(sparse, f"{form}_{kind}")
    for form in _PARTS
    for kind in ("matrix", "array")
}
for _cls in _CLASSES.values():
    register_node(_cls, "scipy.sparse", _write, _read)
