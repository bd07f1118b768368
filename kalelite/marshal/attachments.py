"""Files and folders that a value refers to, while it is saved or loaded.

A reducer or a rebuilding function has no argument for the store; it finds it here.
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Self

from kalelite.errors import MarshalError
from kalelite.marshal.folders import Folders


class Attachments:
    """The files of one save or load, which is the length of a ``with``."""

    __slots__ = ("_adopted", "_folders", "_token")

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._adopted: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *failure: object) -> None:
        _current.reset(self._token)

    @property
    def references(self) -> tuple[str, ...]:
        """References of the adopted files and folders."""
        return tuple(sorted(set(self._adopted.values())))

    def adopt(self, path: str) -> str:
        """Store a file or folder, once in a save; its reference."""
        if path not in self._adopted:
            self._adopted[path] = self._folders.adopt(path)
        return self._adopted[path]

    def hand_out(self, reference: str) -> Path:
        """A path to a stored file or folder."""
        return self._folders.hand_out(reference)


_current: ContextVar[Attachments | None] = ContextVar("kalelite_attachments", default=None)


def current_attachments() -> Attachments:
    """Those of the save or load that is going on.

    Raises `MarshalError`: there is none: someone unpickles by hand what only a store can load.
    """
    current = _current.get()
    if current is None:
        raise MarshalError("a stored file can only be loaded through the store that holds it")
    return current
