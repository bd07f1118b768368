"""The store that a value is being saved to or loaded from, for what stands inside the value.

A reducer or a rebuilding function has no argument for the store; it finds it here.
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

from kalelite.errors import MarshalError

__all__ = ["Keeper", "Session", "session"]


class Keeper(Protocol):
    """Keeps files and folders."""

    def adopt(self, path: str) -> str:
        """Store a file or folder; its reference."""
        ...

    def hand_out(self, reference: str) -> Path:
        """A path to a stored file or folder."""
        ...


class Session:
    """One save or load, for the length of a ``with``; collects the files that a value links to."""

    __slots__ = ("_adopted", "_keeper", "_token")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._adopted: dict[str, str] = {}

    def __enter__(self) -> Session:  # noqa: PYI034 - Self came with Python 3.11
        self._token = _current.set(self)
        return self

    def __exit__(self, *failure: object) -> None:
        _current.reset(self._token)

    @property
    def links(self) -> tuple[str, ...]:
        """References of the adopted files and folders."""
        return tuple(sorted(set(self._adopted.values()))) if self._adopted else ()

    def replaying(self) -> Session:
        """A load for a look at what was saved: files are handed out where they came from."""
        return Session(_Origins(self._adopted))

    def adopt(self, path: str) -> str:
        """Store a file or folder, once in a session; its reference."""
        if path not in self._adopted:
            self._adopted[path] = self._keeper.adopt(path)
        return self._adopted[path]

    def hand_out(self, reference: str) -> Path:
        """A path to a stored file or folder."""
        return self._keeper.hand_out(reference)


class _Origins:
    """Hands out the originals of adopted files."""

    def __init__(self, adopted: dict[str, str]) -> None:
        self._adopted = adopted
        self._paths = {reference: path for path, reference in adopted.items()}

    def adopt(self, path: str) -> str:
        return self._adopted[path]

    def hand_out(self, reference: str) -> Path:
        return Path(self._paths[reference])


_current: ContextVar[Session | None] = ContextVar("kalelite_marshal_session", default=None)


def session() -> Session:
    """The current save or load.

    Raises
    ------
    MarshalError
        There is none: someone unpickles by hand what only a store can load.
    """
    current = _current.get()
    if current is None:
        raise MarshalError("a stored file can only be loaded through the store that holds it")
    return current
