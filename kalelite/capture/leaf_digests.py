"""What plain values, arrays and small objects are made of, for `kalelite.capture.fingerprint`."""

from __future__ import annotations

import copyreg
import functools
import hashlib
from enum import Enum
from types import (
    CellType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
)
from typing import Any

__all__ = ["array", "atom", "content", "hashed", "parts", "reduced", "text"]


def hashed(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def text(*parts: str) -> bytes:
    return hashed(*(part.encode("utf-8", "surrogatepass") for part in parts))


def content(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def atom(value: Any) -> bytes | None:  # noqa: PLR0911 - one line for each kind
    kind = type(value)
    if kind is str:
        return text("str", value)
    if kind is bytes:
        return hashed(b"bytes", value)
    if kind is float:
        return text("float", value.hex())
    if kind is complex:
        return text("complex", value.real.hex(), value.imag.hex())
    if kind is int:
        return text("int", hex(value))
    if value is None or value is Ellipsis or value is NotImplemented or kind is bool:
        return text("constant", repr(value))
    return None


def parts(  # noqa: PLR0911 - one line for each kind
    value: Any,
) -> tuple[bytes, tuple[Any, ...]] | None:
    """What things that pickle does not know are made of."""
    kind = type(value).__name__.encode()
    if isinstance(value, CellType):
        return kind, content(value)
    if isinstance(value, MethodType):
        return kind, (value.__func__, value.__self__)
    if isinstance(value, staticmethod | classmethod):
        return kind, (value.__func__,)
    if isinstance(value, property):
        return kind, (value.fget, value.fset, value.fdel)
    if isinstance(value, functools.cached_property):
        return kind, (value.func,)
    if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - it has no public name
        return kind, (value.__wrapped__,)
    if isinstance(value, MemberDescriptorType | GetSetDescriptorType):
        return kind, (value.__name__,)
    if isinstance(value, MappingProxyType):
        return kind, (dict(value),)
    if isinstance(value, Enum):
        return kind, (type(value), value.name)
    return None


def array(value: Any) -> bytes | None:
    """Type, shape and content of a numpy array or a torch tensor."""
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if root == "numpy" and kind.__name__ == "ndarray":
        if value.dtype.hasobject:
            return None
        return hashed(str(value.dtype).encode(), repr(value.shape).encode(), value.tobytes())
    if root == "torch" and hasattr(value, "untyped_storage"):
        tensor = value.detach().cpu().clone()
        content = bytes(tensor.untyped_storage())
        return hashed(str(tensor.dtype).encode(), repr(tuple(tensor.shape)).encode(), content)
    return None


def reduced(value: Any) -> Any:
    reducer = copyreg.dispatch_table.get(type(value))
    return reducer(value) if reducer else value.__reduce_ex__(4)
