"""Trees of data: what `kalelite.marshal.tree` writes, in a file of its own kind.

Frame 0 is the tree in JSON; the other frames are what its nodes point to. A data frame is stored
so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kalelite.errors import KaleliteError
from kalelite.marshal.registry import Format, Frame, UnfitError, register
from kalelite.marshal.tree import Node, Reader, Writer

__all__ = ["PATIENT", "Tree", "encode_tree", "read_tree"]

_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_DECODE = json.JSONDecoder().decode


def encode_tree(node: Node) -> bytes:
    """What frame 0 is."""
    return _ENCODE(node).encode()


def read_tree(frames: Sequence[memoryview]) -> Any:
    """The value of a tree in frame 0, whose frames are the others."""
    return Reader(frames[1:]).get(_DECODE(str(frames[0], "ascii")))


class Tree(Format):
    """Whatever is data all through: plain data, arrays, frames, tables, tensors."""

    encoding = "data.tree/1"
    suffix = ".tree"

    def __init__(self, *, patient: bool, claims: Callable[[Any], bool] = lambda _: True) -> None:
        self._patient = patient
        self._claims = claims

    def claims(self, value: Any) -> bool:
        return self._claims(value)  # and dump tells

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        writer = Writer(patient=self._patient)
        try:
            node = writer.put(value)
        except Exception as error:
            if self._patient or isinstance(error, KaleliteError):
                raise
            raise UnfitError(str(error)) from error  # pickle knows, or says what is wrong
        return {"libraries": sorted(writer.libraries)}, [encode_tree(node), *writer.frames]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return read_tree(frames)


PATIENT = Tree(patient=True)
register(Tree, PATIENT)
