"""The manifest of a stored value, and the layout of an object file.

An object file is one line of JSON, the manifest, and after it the frames of a small value. The
frames of a large value stand in a payload file of their own, which the manifest names by digest
and size. Each frame starts at a multiple of `ALIGNMENT`. The reference of a value is the digest
of its whole object file, so nothing of it can change unseen.

Nothing that changes from one save to the next stands in a manifest: saving an equal value
again yields the same reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
from mmap import mmap
from typing import Any

from kalelite.errors import CorruptObjectError, VersionMismatchError
from kalelite.frozen import frozen
from kalelite.marshal.digest import BadReferenceError, split_reference
from kalelite.marshal.framing import padding

LAYOUT = 1
"""Version of the object file's layout, written as ``"kalelite"``."""

_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_DECODE = json.JSONDecoder().decode
_PART = re.compile(r"([^.]+)\.([0-9]{1,9})")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,12})?")


@frozen
class Manifest:
    """What is known of a stored value without loading it.

    Attributes
    ----------
    encoding
        Which format reads it.
    type
        Qualified name of the value's class.
    header
        The format's own.
    frames
        Size of each frame in bytes.
    payload
        ``<algorithm>-<digest>`` of the payload file, empty if the frames follow the manifest.
    suffix
        Of the payload file's name.
    lead
        Digest of the first frame of a payload, where that decides what to make of the others: it is
        checked before it is used, while the rest is checked in the background.
    links
        Stored files and folders that the value refers to.
    paths
        The paths in the value, by number: a position in ``links``, and a path inside that folder.
    versions
        Of Python and of the libraries that wrote it.
    """

    encoding: str
    type: str
    header: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[int, ...] = ()
    payload: str = ""
    suffix: str = ""
    lead: str = ""
    links: tuple[str, ...] = ()
    paths: tuple[tuple[int, str], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all frames, with what lies between them."""
        size = 0
        for frame in self.frames:
            size += padding(size) + frame
        return size

    def split(self, data: bytes | bytearray | mmap, start: int = 0) -> list[memoryview]:
        """The frames, which begin at `start` in what they were written to."""
        view, frames = memoryview(data), []
        for size in self.frames:
            frames.append(view[start : start + size])
            start += size + padding(size)
        return frames

    def with_payload(self, reference: str, lead: str) -> Manifest:
        """The same, with the frames in a file of their own."""
        return replace(self, payload=reference, lead=lead)

    def to_bytes(self) -> bytes:
        """One line of JSON, padded with blanks so that frames after it are aligned."""
        fields: dict[str, Any] = {"kalelite": LAYOUT, "encoding": self.encoding, "type": self.type}
        if self.header:
            fields["header"] = self.header
        fields["frames"] = self.frames
        if self.payload:
            fields |= {"payload": self.payload, "suffix": self.suffix}
        if self.lead:
            fields["lead"] = self.lead
        if self.links:
            fields |= {"links": self.links, "paths": self.paths}
        fields["versions"] = self.versions
        text = _ENCODE(fields).encode()
        return text + b" " * padding(len(text) + 1) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes | bytearray) -> tuple[Manifest, int]:
        """The manifest at the start of an object file, and where its frames begin.

        Raises `CorruptObjectError`: there is no manifest; `VersionMismatchError`: a later kalelite
        wrote it.
        """
        end = data.find(b"\n") + 1
        try:
            fields = _DECODE(str(data[:end], "ascii"))
            layout = fields.pop("kalelite")
            if layout != LAYOUT:
                raise VersionMismatchError(
                    f"this value has layout {layout} of the store; this kalelite reads layout {LAYOUT}",
                    hint="use the version of kalelite that wrote it, or a later one",
                )
            fields["frames"] = tuple(fields["frames"])
            fields["links"] = tuple(fields.get("links", ()))
            fields["paths"] = tuple((int(link), str(i)) for link, i in fields.get("paths", ()))
            manifest = cls(**fields)
            manifest._check()
        except (ValueError, LookupError, TypeError, AttributeError, BadReferenceError) as error:
            raise CorruptObjectError(f"not a manifest: {error}") from error
        return manifest, end

    def _check(self) -> None:
        """Every name that becomes part of a path is a digest or a plain suffix."""
        for size in self.frames:
            if type(size) is not int or size < 0:
                raise ValueError("sizes of frames")
        if self.suffix and not _SUFFIX.fullmatch(self.suffix):
            raise ValueError("suffix")
        for reference in (*self.links, *filter(None, (self.payload, self.lead))):
            split_reference(reference)
        for link, inside in self.paths:
            self.links[link]
            if inside.startswith("/") or ".." in inside.split("/"):
                raise ValueError("paths")


def part_of(reference: str) -> tuple[str, tuple[int, ...]]:
    """The reference to what is stored, and which part of it is meant.

    Values that were stored together are referred to by ``<reference>.<position>``.
    """
    match = _PART.fullmatch(reference) if isinstance(reference, str) else None
    return (match[1], (int(match[2]),)) if match else (reference, ())
