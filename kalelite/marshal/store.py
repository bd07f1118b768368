"""The marshal store: values of any kind in a folder, named by the digest of their content."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kalelite.errors import MarshalError, UsageError
from kalelite.marshal.decode import decode
from kalelite.marshal.digest import default_algorithm, hasher, reference_to, split_reference
from kalelite.marshal.disk import corrupt, flatten
from kalelite.marshal.encode import CHECKED, Encoded, encode
from kalelite.marshal.folders import Folders
from kalelite.marshal.manifest import Manifest, offsets
from kalelite.marshal.objects import Files
from kalelite.marshal.session import Session
from kalelite.marshal.verify import Verifier

if TYPE_CHECKING:
    from kalelite.marshal.clean import Cleaned

__all__ = ["Store"]

INLINE = CHECKED
"""Values up to so many bytes share one file with their manifest."""

MAPPED = 1 << 20
"""Payloads from so many bytes on are verified in the background; smaller ones before use."""


class Store:
    """A folder of values.

    What is promised: a value comes back with its type, its content, and the identities within it,
    or saving it fails where it stands. What Python, numpy, pandas, pyarrow, polars, scikit-learn
    and the formats of this package store (numbers, text, containers, arrays, tables, frames,
    estimators, plain instances) comes back by construction, and is compared in this package's
    tests. Everything else whose bytes come from a class's own code (``__reduce__``,
    ``__getstate__``, ``__setstate__``, ``__new__`` and their like, `register`, a format of another
    distribution) is decoded from the bytes that were written, whatever its size, before they get
    their name: each such object has to load, to have its type, to reduce to what it reduced to
    before, to show the same public attributes unless its class has a ``__getstate__`` that says
    what it leaves out, and to be equal where its class says what is equal (in values up to
    64 MiB). Arrays that come back as the very buffer that was written are not read for that.
    Small pickles, up to 64 KiB, are all decoded.

    Parameters
    ----------
    folder
        Made when first written to. Its mode says who may read and write what is in it.
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
    formats
        "all", or "data-only" to refuse pickles when saving and when loading: plain data, arrays,
        frames, tables, plain tensors and sparse matrices are stored, also inside each other, and
        what needs a pickle is refused by name.
    adopt
        How a returned file comes into the store. "copy" shares its blocks where the filesystem
        can (reflink) and copies it elsewhere. "link" makes hard links, which cost nothing, and
        makes the originals read-only: whoever writes to one all the same writes to the store, and
        the next reader is told that it is damaged.
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
        formats: Literal["all", "data-only"] = "all",
        adopt: Literal["copy", "link"] = "copy",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if verify not in {"before", "background", "off"}:
            raise UsageError(f"verify={verify!r}", hint='one of "before", "background", "off"')
        if formats not in {"all", "data-only"}:
            raise UsageError(f"formats={formats!r}", hint='one of "all", "data-only"')
        if adopt not in {"copy", "link"}:
            raise UsageError(f"adopt={adopt!r}", hint='one of "copy", "link"')
        algorithm = digest or default_algorithm()
        hasher(algorithm)
        self.folder = Path(folder).absolute()
        self.verify = verify
        self.data_only = formats == "data-only"
        self._files = Files(str(self.folder), algorithm, durable, 30.0 if durable else 0.0, sleep)
        self._verifier = Verifier()
        self._loaded: dict[tuple[int, str], set[str]] = {}
        self._mapped: dict[tuple[str, str, str], tuple[int, int] | None] = {}
        self._folders = Folders(self._files, self._check, link=adopt == "link")
        self._last: tuple[str, Manifest] | None = None

    def save(self, value: Any, *, name: str = "value") -> str:
        """Store a value; the reference to it.

        `name` is what an error calls the value.

        Raises
        ------
        UnmarshallableError
            No format brings it back exactly.
        StoreFullError
            There is no room, or no right to write.
        """
        with Session(self._folders) as session:
            encoded = encode(value, session, name=name, data_only=self.data_only)
        manifest = encoded.manifest
        if manifest.size > INLINE:
            manifest = manifest.with_payload(self._save_payload(encoded), self._lead(encoded))
            data = manifest.to_bytes()
        else:
            data = b"".join([manifest.to_bytes(), *flatten(encoded.frames)])
        reference = self._files.write_small("objects", data)
        self._last = (reference, manifest)
        return reference

    def _save_payload(self, encoded: Encoded) -> str:
        """Write the frames, unless they are those of a value that was loaded and is handed on."""
        manifest, check = encoded.manifest, encoded.check
        look = None if check is None else lambda image: check(_frames(manifest, image))
        if known := self._loaded.get((manifest.size, manifest.suffix)):
            payload = reference_to(flatten(encoded.frames), self._files.algorithm)
            name = ("payloads", payload, manifest.suffix)
            before = self._files.state(*name)
            if payload in known and self._files.touch(*name):
                if self._mapped.get(name) == before:
                    self._mapped[name] = self._files.state(*name)
                if look is not None:
                    look(self._files.map(*name, manifest.size))
                return payload
        return self._files.write_large(
            "payloads", flatten(encoded.frames), manifest.size, manifest.suffix, look
        )

    def _lead(self, encoded: Encoded) -> str:
        if not encoded.led:
            return ""
        return reference_to(flatten(encoded.frames[:1]), self._files.algorithm)

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
        data = self._files.read("objects", reference)
        manifest, start = Manifest.from_bytes(data)
        source: Any = data
        if manifest.payload:
            source, start = self._payload(manifest), 0
        frames = _frames(manifest, source, start)
        try:
            with Session(self._folders):
                value = decode(manifest, frames, data_only=self.data_only)
        except MarshalError:
            if manifest.payload:  # perhaps it is only damaged
                self._files.verify("payloads", manifest.payload, manifest.suffix)
            raise
        return select(value, path)

    def _payload(self, manifest: Manifest) -> Any:
        name = ("payloads", manifest.payload, manifest.suffix)
        if self.verify != "off":
            self._mapped[name] = self._files.state(*name)
        source = self._files.map(*name, manifest.size)
        if lead := manifest.lead:
            with memoryview(source) as view, view[: manifest.frames[0]] as frame:
                if reference_to([frame], split_reference(lead)[0]) != lead:
                    raise corrupt(manifest.payload, self._files.path(*name))
        self._check(manifest.size, partial(self._files.verify, *name))
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
            now = self._files.state(*name)
            # A file that is gone or another one now is still mapped as it was.
            if state is not None and now is not None and now != state and now[0] == state[0]:
                self._files.verify(*name)
                self._mapped[name] = now
        self._folders.settle()

    def close(self) -> None:
        """Remove the private copies of files that were handed out; the process is done with them."""
        self._folders.close()

    def sweep(self, *, older_than: float = 86_400.0) -> Cleaned:
        """Remove what killed writers left behind: temporary files unchanged for so many seconds.

        Raises
        ------
        StoreFullError
            The store may not be written.
        """
        from kalelite.marshal.clean import sweep  # does not travel to pods

        return sweep(self._files, older_than)

    def clean(self, keep: Iterable[str], *, older_than: float = 3_600.0) -> Cleaned:
        """Remove every value that `keep` does not name.

        It may run beside running steps: what was stored within the last `older_than` seconds
        stays, whether or not a record refers to it yet.

        Raises
        ------
        StoreFullError
            The store may not be written.
        """
        from kalelite.marshal.clean import clean  # as above

        return clean(self._files, keep, older_than)

    def describe(self, reference: str) -> Manifest:
        """What is known of a value without loading it."""
        if self._last is not None and self._last[0] == reference:
            return self._last[1]
        return Manifest.from_bytes(self._files.read("objects", reference))[0]

    def holds(self, reference: str) -> bool:
        """Whether a value is here with all its files, by name; then `clean` leaves it for a while.

        What a reader would find out about the bytes is not looked at.
        """
        try:
            manifest = self.describe(reference)
        except MarshalError:
            return False
        files = [("objects", reference, ""), *(("files", link, "") for link in manifest.links)]
        if manifest.payload:
            files.append(("payloads", manifest.payload, manifest.suffix))
        return all(self._files.touch(*file) for file in files)


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


def _frames(manifest: Manifest, source: Any, start: int = 0) -> list[memoryview]:
    view = memoryview(source)
    return [view[start + a : start + b] for a, b in offsets(manifest.frames)]
