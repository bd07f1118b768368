"""What a stored file or folder consists of, and its digest.

The digest of a file or folder is the digest of its *listing*: a first line with the layout's
version and the name, then one line of JSON for each entry, sorted by the bytes of its path
relative to the parent of the adopted path, with `/` between parts:

    {"path": "data/a.csv", "type": "file", "size": 3, "digest": "<hex>", "executable": false}
    {"path": "data/empty", "type": "folder"}
    {"path": "data/last", "type": "link", "target": "a.csv"}

Content, names and the executable bit count; times, owners and other mode bits do not. Names
that are no UTF-8 stand as Python writes them (surrogate escapes).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from kalelite.errors import CorruptObjectError, VersionMismatchError
from kalelite.frozen import frozen

_LAYOUT = 1
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


@frozen
class Entry:
    """A file, folder or link. `path` starts with the adopted path's own name."""

    path: str
    type: str
    size: int = 0
    digest: str = ""
    executable: bool = False
    target: str = ""

    def fields(self) -> dict[str, object]:
        """What stands in the listing."""
        return {name: getattr(self, name) for name in ("path", "type", *_FIELDS[self.type])}


_FIELDS = {"file": ("size", "digest", "executable"), "folder": (), "link": ("target",)}


def listing_bytes(name: str, entries: Iterable[Entry]) -> bytes:
    """The listing, which is the same for the same content whoever writes it."""
    ordered = sorted(entries, key=lambda entry: os.fsencode(entry.path))
    lines = [_ENCODE({"kalelite-listing": _LAYOUT, "name": name})]
    lines += [_ENCODE(entry.fields()) for entry in ordered]
    return ("\n".join(lines) + "\n").encode()


def parse_listing(data: bytes | bytearray) -> tuple[str, list[Entry]]:
    """Name and entries.

    Raises `CorruptObjectError`: it is no listing, or one of its paths leads out of the stored
    folder; `VersionMismatchError`: a later kalelite wrote it.
    """
    try:
        first, *rest = data.decode().splitlines()
        head = json.loads(first)
        name, layout = head["name"], head["kalelite-listing"]
        entries = [Entry(**json.loads(line)) for line in rest]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObjectError(f"not the listing of a stored folder: {error}") from error
    if layout != _LAYOUT:
        raise VersionMismatchError(
            f"a stored folder has layout {layout}; this kalelite reads layout {_LAYOUT}",
            hint="use the version of kalelite that wrote it, or a later one",
        )
    for path in (name, *(entry.path for entry in entries)):
        parts = path.split("/")
        if parts[0] != name or "\0" in path or not {"", ".", ".."}.isdisjoint(parts):
            raise CorruptObjectError(f"the listing of a stored folder names {path!r}")
    return name, entries
