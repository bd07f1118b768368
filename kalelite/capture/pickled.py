"""A pickle of user code, and what it leans on."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from types import CodeType
from typing import Any

from kalelite.blake import hashed
from kalelite.capture.bytecode import code_digest, is_class
from kalelite.capture.load import Name
from kalelite.frozen import frozen, mutable


class TooLargeError(Exception):
    """The pickle grew over the limit."""


class Sink(io.BytesIO):
    """Takes a pickle, up to a limit in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLargeError

    def write(self, data: Any) -> int:
        self.take(memoryview(data).nbytes)
        return super().write(data)


@frozen
class Aside:
    """A value outside of the pickle.

    Of ``code`` its digest counts, of a ``docstring`` its text if code reads any, of all else
    ``counts``. A class stands for its id. ``documented`` is code whose docstrings always count.
    """

    value: Any
    code: CodeType | None = None
    docstring: str | None = None
    counts: bytes = b""
    documented: bool = False

    def digest(self, docstrings: bool) -> bytes:
        """What counts of it; ``docstrings`` if code reads any."""
        if self.code is not None:
            return code_digest(self.code, docstrings=docstrings or self.documented)
        return self.counts + (repr(self.docstring).encode() if docstrings else b"")


@mutable
class Pickled:
    """A pickle and what it leans on.

    ``refs`` are names that have to exist before it can be loaded, ``needs`` are names that its
    functions look up when they run, ``maybe`` those that they may look up by a text, ``shared`` are the objects in it whose identity counts.
    ``kind`` is "function", "class", "import" or "global" for what has a name.
    ``modules`` are those that it imports, ``held`` those that it holds as objects, ``mentioned``
    the names by which it imports functions and classes, ``files`` those of its code, ``paths``
    what it holds of type `Path`. ``holds_values`` is true if objects are made when it is loaded,
    whose classes may run code of the script then.
    """

    stream: bytes = b""
    kind: str = "value"
    asides: list[Aside] = field(default_factory=list)
    refs: dict[Name, None] = field(default_factory=dict)
    needs: dict[Name, CodeType] = field(default_factory=dict)
    maybe: dict[Name, CodeType | None] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    shared: list[Any] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    paths: list[Path] = field(default_factory=list)
    holds_values: bool = False

    @property
    def edges(self) -> dict[Name, CodeType | None]:
        """All names that it leads to, with the code that looks them up, in the order of use."""
        return {**self.refs, **self.needs}

    @property
    def size(self) -> int:
        """Of all that travels, in bytes."""
        return len(self.stream) + sum(
            len(a.value) for a in self.asides if isinstance(a.value, bytes)
        )

    @property
    def codes(self) -> list[CodeType]:
        """The code in it."""
        return [aside.code for aside in self.asides if aside.code is not None]

    def packed(self, class_id: Callable[[type], str]) -> bytes:
        """What travels: the pickle, and all that stands aside of it."""
        values = [aside.value for aside in self.asides]
        return pickle.dumps(
            (self.stream, [class_id(value) if is_class(value) else value for value in values]), 5
        )

    def digest(self, *, docstrings: bool) -> bytes:
        """A digest of all that counts in it."""
        return hashed(self.stream, *(aside.digest(docstrings) for aside in self.asides))
