"""Files and folders that a value refers to, while it is saved or loaded.

A reducer or a rebuilding function has no argument for the store; it finds it here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Self

from kalelite.errors import MarshalError
from kalelite.marshal.folders import Folders, place_of


class Attachments:
    """The files of one save or load, which is the length of a ``with``.

    A value names its paths by number. Equal paths have one number, and a path inside a folder
    that the value names, too, leads into that folder.

    ``links`` and ``paths`` are those of the manifest of the value that is loaded.
    """

    __slots__ = ("_folders", "_given", "_links", "_numbers", "_paths", "_token")

    def __init__(
        self, folders: Folders, links: Sequence[str] = (), paths: Sequence[tuple[int, str]] = ()
    ) -> None:
        self._folders = folders
        self._links = links
        self._paths = paths
        self._numbers: dict[str, int] = {}
        self._given: dict[int, Path] = {}

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *failure: object) -> None:
        _current.reset(self._token)

    def add(self, path: str) -> int:
        """Have a file or folder stored with the value that is saved; its number."""
        return self._numbers.setdefault(place_of(path), len(self._numbers))

    def store(self) -> tuple[tuple[str, ...], tuple[tuple[int, str], ...]]:
        """Store what was added; links and paths of the manifest.

        Raises
        ------
        UnmarshallableError
            One of the files or folders cannot be stored.
        StoreFullError
            There is no room for them.
        """
        tops: dict[str, int] = {}
        links: list[str] = []
        paths = {}
        for place in sorted(self._numbers):  # a folder before what is in it
            top = place
            while top not in tops and top != os.path.dirname(top):
                top = os.path.dirname(top)
            if top not in tops:
                top, tops[place] = place, len(links)
                links.append(self._folders.adopt(place))
            paths[self._numbers[place]] = tops[top], place[len(top) + 1 :]
        return tuple(links), tuple(paths[number] for number in sorted(paths))

    def hand_out(self, stored: int | str) -> Path:
        """The path with that number; by its reference alone in values of earlier versions."""
        if isinstance(stored, str):
            return self._folders.hand_out(stored)
        link, inside = self._paths[stored]
        if link not in self._given:
            self._given[link] = self._folders.hand_out(self._links[link])
        return self._given[link] / inside


_current: ContextVar[Attachments | None] = ContextVar("kalelite_attachments", default=None)


def current_attachments() -> Attachments:
    """Those of the save or load that is going on.

    Raises `MarshalError`: there is none: someone unpickles by hand what only a store can load.
    """
    current = _current.get()
    if current is None:
        raise MarshalError("a stored file can only be loaded through the store that holds it")
    return current
