"""A value in one short line. Never fails, and is quick whatever the value."""

from __future__ import annotations

import reprlib
from typing import Any

from kalelite.executor.failure import printable

__all__ = ["preview", "type_name"]

_WIDTH = 80
_SMALL = 262_144


def type_name(value: Any) -> str:
    """The type as a person names it: ``int``, ``pandas.core.frame.DataFrame``."""
    kind = type(value)
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 60
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 6

    def repr_instance(self, x: Any, level: int) -> str:
        del level
        return _described(x) or self._own(x)

    def _own(self, value: Any) -> str:
        if _has_no_repr(type(value)):
            return f"<{type(value).__name__}>"
        return " ".join(repr(value).split())


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

    Parameters
    ----------
    value
        Anything.
    size
        Its stored size in bytes: a large object's own ``repr`` is not called.
    """
    try:
        text = _described(value)
        plain = type(value).__module__ == "builtins"
        if not text and (plain or size <= _SMALL):
            text = _SHORT.repr(value)
        text = text or f"<{type(value).__name__}>"
    except BaseException:  # the user's __repr__ may raise anything
        text = f"<{type(value).__name__}>"
    text = printable(text).replace("\n", " ")
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
