"""The marshal store: values of any kind in a folder, named by the digest of their content."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kalelite.errors import MarshalError, UnmarshallableError, UsageError
from kalelite.marshal.attachments import Attachments
from kalelite.marshal.blobs import BlobName, BlobStore
from kalelite.marshal.codec import Encoded, decode, encode
from kalelite.marshal.folders import Folders
from kalelite.marshal.manifest import Manifest, part_of
from kalelite.marshal.verify import Verifier

if TYPE_CHECKING:
    from kalelite.marshal.garbage import Freed

INLINE = 65_536
"""Values up to so many bytes share one file with their manifest."""

MAPPED = 1 << 20
"""Payloads from so many bytes on are verified in the background; smaller ones before use."""


class Store:
    """A folder of values.

    A value comes back with its type, its content, and the identities within it: what Python,
    numpy, pandas, pyarrow, polars and the formats of this package store does so by construction.
    A class's own pickling code (``__reduce__``, ``__getstate__`` and their like, `register`, a
    format of another distribution) is trusted: what it leaves out does not come back.

    Parameters
    ----------
    folder
        Made when first written to. Its mode rules who may read and write what is in it.
    digest
        "xxh3" or "sha256" for what is written; by default xxh3 where xxhash is installed. Both
        are read.
    verify
        When the digest of a mapped payload is checked: "before" it is used, in the "background"
        until `settle` is called, or "off". Small values are always checked before use.
    durable
        Sync each file to the disk, so that it outlives a power failure, and be patient with
        names that do not show up at once: for volumes that several machines share. A store that
        is not durable still knows a torn file by its digest.
    sleep
        Waits between looking again for a name that does not show up.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        digest: str | None = None,
        verify: Literal["before", "background", "off"] = "background",
        durable: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if verify not in {"before", "background", "off"}:
            raise UsageError(f"verify={verify!r}", hint='one of "before", "background", "off"')
        self.folder = Path(folder).absolute()
        self.verify = verify
        patience = 30.0 if durable else 0.0
        self._blobs = BlobStore(str(self.folder), digest or "", durable, patience, sleep)
        self._verifier = Verifier()
        self._folders = Folders(self._blobs, self._check)
        self._loaded: dict[tuple[int, str], set[str]] = {}
        self._mapped: dict[BlobName, tuple[int, int] | None] = {}
        self._last: tuple[str, Manifest] | None = None

    def save(self, value: Any, *, name: str = "value") -> str:
        """Store a value; the reference to it.

        `name` is what an error calls the value.

        Raises
        ------
        UnmarshallableError
            It cannot be saved; the error has the path to the part that cannot be.
        StoreFullError
            There is no room, or no right to write.
        """
        with Attachments(self._folders) as attachments:
            encoded = encode(value, attachments, name=name)
        manifest = encoded.manifest
        if manifest.size > INLINE:
            manifest = self._save_payload(encoded)
            data = manifest.to_bytes()
        else:
            data = b"".join([manifest.to_bytes(), *encoded.pieces()])
        reference = self._blobs.write_small("objects", data)
        self._last = (reference, manifest)
        if encoded.doubtful and not manifest.links:  # files would be copied
            self._try(data, name)
        return reference

    def _try(self, data: bytes, name: str) -> None:
        """Load what was just written, once: its own code may not be able to."""
        manifest, start = Manifest.from_bytes(data)
        source: Any = bytearray(data)
        if manifest.payload:
            source, start = self._blobs.map(_payload_name(manifest), manifest.size), 0
        try:
            with Attachments(self._folders):
                decode(manifest, manifest.split(source, start))
        except MarshalError as error:
            reason = error.__cause__ or error
            raise UnmarshallableError(
                f"{name} cannot be handed to another step: a {manifest.type} whose own code fails "
                f"when it is loaded: {type(reason).__name__}: {reason}",
                hint="return the data that it is made from and make it again in the step that needs "
                "it, or define how its type is stored: kalelite.marshal.register",
            ) from reason

    def _save_payload(self, encoded: Encoded) -> Manifest:
        """Write the frames to a file of their own; the manifest that names it."""
        manifest, pieces, lead = encoded.manifest, encoded.pieces(), encoded.lead()
        payload = self._handed_on(manifest, pieces) or self._blobs.write_large(
            "payloads", pieces, manifest.size, manifest.suffix
        )
        return manifest.with_payload(payload, self._blobs.reference_to(lead) if lead else "")

    def _handed_on(self, manifest: Manifest, pieces: Sequence[memoryview]) -> str:
        """The payload of a value that was loaded and is saved again as it is; empty for others."""
        known = self._loaded.get((manifest.size, manifest.suffix))
        if not known:
            return ""
        name = BlobName("payloads", self._blobs.reference_to(pieces), manifest.suffix)
        before = self._blobs.state(name)
        if name.reference not in known or not self._blobs.touch(name):
            return ""
        if self._mapped.get(name) == before:
            self._mapped[name] = self._blobs.state(name)
        return name.reference

    def load(self, reference: str, path: Sequence[str | int] = ()) -> Any:
        """The value that a reference names, or the part of it that `path` selects.

        Raises
        ------
        MissingObjectError
            It is not in this store.
        CorruptObjectError
            Its bytes are not those that were written.
        VersionMismatchError
            It was written by versions that cannot be read here.
        MarshalError
            It has no such part.
        """
        whole, part = part_of(reference)
        data = self._blobs.read(BlobName("objects", whole))
        manifest, start = Manifest.from_bytes(data)
        source: Any = data
        if manifest.payload:
            source, start = self._payload(manifest), 0
        try:
            with Attachments(self._folders, manifest.links, manifest.paths):
                value = decode(manifest, manifest.split(source, start))
        except MarshalError:
            if manifest.payload:  # perhaps it is only damaged
                self._blobs.verify(_payload_name(manifest))
            raise
        return select(value, (*part, *path))

    def _payload(self, manifest: Manifest) -> Any:
        name = _payload_name(manifest)
        if self.verify != "off":
            self._mapped[name] = self._blobs.state(name)
        source = self._blobs.map(name, manifest.size)
        if manifest.lead:
            self._blobs.check(name, manifest.split(source)[:1], manifest.lead)
        self._check(manifest.size, partial(self._blobs.verify, name))
        if self.verify != "off":
            key = (manifest.size, manifest.suffix)
            self._loaded.setdefault(key, set()).add(manifest.payload)
        return source

    def _check(self, size: int, check: Callable[[], None]) -> None:
        if self.verify == "before" or size < MAPPED:
            check()
        elif self.verify == "background":
            self._verifier.add(check)

    def settle(self) -> None:
        """Wait until everything that was loaded is verified; to be called before a step commits.

        Raises
        ------
        CorruptObjectError
            A loaded value was damaged: nothing computed from it may be kept.
        """
        self._verifier.settle()
        for name, state in self._mapped.items():
            now = self._blobs.state(name)
            # A file that is gone or another one now is still mapped as it was.
            if state is not None and now is not None and now != state and now[0] == state[0]:
                self._blobs.verify(name)
                self._mapped[name] = now
        self._folders.settle()

    def close(self) -> None:
        """Remove the private copies of files that were handed out; the process is done with them."""
        self._folders.close()

    def sweep(self, *, older_than: float = 86_400.0) -> Freed:
        """Remove what killed writers left behind: temporary files unchanged for so many seconds.

        Raises
        ------
        StoreFullError
            The store may not be written.
        """
        from kalelite.marshal.garbage import sweep  # does not travel to pods

        return sweep(self._blobs, older_than)

    def collect(
        self, keep: Iterable[str], *, older_than: float = 3_600.0, dry: bool = False
    ) -> Freed:
        """Remove every value that `keep` does not name; with ``dry`` only say what that frees.

        It may run beside running steps: what was stored within the last `older_than` seconds
        stays, whether or not a record refers to it yet.

        Raises
        ------
        StoreFullError
            The store may not be written.
        """
        from kalelite.marshal.garbage import collect  # as above

        return collect(self._blobs, (part_of(each)[0] for each in keep), older_than, dry=dry)

    def describe(self, reference: str) -> Manifest:
        """What is known of a value without loading it."""
        reference, _ = part_of(reference)
        if self._last is not None and self._last[0] == reference:
            return self._last[1]
        return Manifest.from_bytes(self._blobs.read(BlobName("objects", reference)))[0]

    def holds(self, reference: str) -> bool:
        """Whether a value is here with all its files, by name; then `collect` leaves it for a while.

        Its bytes are not read.
        """
        try:
            return all(map(self._blobs.touch, self._names(reference)))
        except MarshalError:
            return False

    def paths(self, reference: str) -> list[Path]:
        """The files of this store, and the folders, that a value is made of.

        Raises `MissingObjectError` if it is not here.
        """
        return [Path(self._blobs.path(name)) for name in self._names(reference)]

    def _names(self, reference: str) -> list[BlobName]:
        manifest = self.describe(reference)
        names = [BlobName("objects", part_of(reference)[0])]
        names += [BlobName("files", link) for link in manifest.links]
        return [*names, _payload_name(manifest)] if manifest.payload else names


def _payload_name(manifest: Manifest) -> BlobName:
    return BlobName("payloads", manifest.payload, manifest.suffix)


def select(value: Any, path: Sequence[str | int]) -> Any:
    """The part of a value that one key after the other leads to.

    Raises
    ------
    MarshalError
        It has no such part.
    """
    try:
        for key in path:
            value = value[key]
    except (LookupError, TypeError) as error:
        hint = ""
        if isinstance(value, dict):
            hint = f"Its keys are {', '.join(map(repr, list(value)[:10]))}."
        elif isinstance(value, (list, tuple)):
            hint = f"It has {len(value)} items."
        kind = type(value).__name__
        raise MarshalError(f"there is no [{key!r}] in the {kind}", hint=hint) from error
    return value
