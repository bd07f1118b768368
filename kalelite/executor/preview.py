"""A value in one short line. Never fails, and is quick whatever the value."""

from __future__ import annotations

import contextlib
import reprlib
from typing import Any

from kalelite.executor.failure import printable

_WIDTH = 80
_SMALL = 262_144


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 60
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 6

    def repr_instance(self, x: Any, level: int) -> str:
        del level
        shown = _described(x)
        if not shown and _has_no_repr(type(x)):
            return f"<{type(x).__name__}>"
        return shown or " ".join(repr(x).split())


_SHORT = _Short()


def _has_no_repr(kind: type) -> bool:
    """True if the repr is object's own, which shows an address and nothing else."""
    home = next(cls for cls in kind.__mro__ if "__repr__" in vars(cls))
    return home is object


def _described(value: Any) -> str:
    """Arrays and tables by their shape."""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        return ""
    dtype = getattr(value, "dtype", None)
    size = " x ".join(str(length) for length in shape)
    return " ".join(part for part in (type(value).__name__, size, str(dtype or "")) if part)


def preview(value: Any, size: int = 0) -> str:
    """The value in at most 80 characters.

    ``size`` is its stored size in bytes: a large object's own ``repr`` is not called.
    """
    text = ""
    with contextlib.suppress(BaseException):  # the user's __repr__ may raise anything
        text = _described(value)
        plain = type(value).__module__ == "builtins"
        if not text and (plain or size <= _SMALL):
            text = _SHORT.repr(value)
    text = printable(text or f"<{type(value).__name__}>").replace("\n", " ")
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
