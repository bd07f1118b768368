"""Trees of data: what `kalelite.marshal.tree` writes, in a file of its own kind.

Frame 0 is the tree in JSON; the other frames are what its nodes point to. A data frame is stored
so, and with ``formats="data-only"`` every value that no other format without pickles takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kalelite.errors import KaleliteError
from kalelite.marshal.registry import Format, Frame, UnfitError, register_encoding
from kalelite.marshal.tree import Reader, Writer

__all__ = ["PATIENT", "QUICK", "Tree"]

_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_DECODE = json.JSONDecoder().decode


class Tree(Format):
    """Whatever is data all through: plain data, arrays, frames, tables, tensors."""

    encoding = "data.tree/1"
    suffix = ".tree"

    def __init__(self, *, patient: bool) -> None:
        self._patient = patient

    def claims(self, value: Any) -> bool:
        del value
        return True  # dump tells

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        writer = Writer(patient=self._patient)
        try:
            node = writer.put(value)
        except Exception as error:
            if self._patient or isinstance(error, KaleliteError):
                raise
            raise UnfitError(str(error)) from error  # pickle knows, or says what is wrong
        return {"libraries": sorted(writer.libraries)}, [_ENCODE(node).encode(), *writer.frames]

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del header
        return Reader(frames[1:]).get(_DECODE(str(frames[0], "ascii")))


PATIENT = Tree(patient=True)
QUICK = Tree(patient=False)
register_encoding(PATIENT)
