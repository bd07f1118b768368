"""Copying a folder to an object store and back: only what changed, each file whole or not at all.

What is known of both sides is kept in a manifest in the home: the version of an object, and size,
time and MD5 of its file. MD5 is what object stores tell of an object; it guards against accidents.
A file that is being written has another name until it is whole; an object appears when it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.errors import TransferError, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.store_errors import explained
from kalelite.volumes.stored_object import (
    MULTIPART,
    StoredObject,
    digests_of,
    has_other_digest,
    is_object_store,
)

_PART = ".kalelite-part"


@frozen
class Transfer:
    """What a sync has done, in numbers of files; ``size`` is that of what was copied, in bytes."""

    copied: int
    unchanged: int
    deleted: int
    size: int


@dataclass(slots=True)
class ObjectSync:
    """A sync between a place in a store and a folder.

    ``options`` are fsspec's for the store, ``parallelism`` is how many files are copied at once,
    ``home`` is where the manifest is kept.
    """

    url: str
    folder: Path
    home: Path
    parallelism: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    _fs: Any = None
    _root: str = ""
    _known: dict[str, list[Any]] = field(default_factory=dict)

    def download(self, *, delete: bool = False) -> Transfer:
        """Make the files in the folder those of the store.

        With ``delete``, files that have no object are removed, at the end.

        Raises `TransferError`: the store cannot be read, or there is nothing; what is copied by
        then is whole, and the next sync goes on from there.
        """
        with self._opened():
            objects = self._objects()
            if not objects:
                self._fs.info(self._root.partition("/")[0])  # raises if there is no such bucket
                raise TransferError(
                    f"there is nothing at {self.url}", hint="Check the prefix: is it misspelt?"
                )
            for name in objects:
                self._require_name(name)
            done = self._copy(objects, objects, is_download=True)
            extra = sorted(self._files().keys() - objects.keys()) if delete else []
            for name in extra:
                self._remove(name)
        return Transfer(*done[:2], len(extra), done[2])

    def upload(self, *, delete: bool = False) -> Transfer:
        """Make the objects in the store those of the folder's files.

        With ``delete``, objects that have no file are removed, at the end.

        Raises `UsageError`: there is no folder, or it is empty and all objects would go;
        `TransferError`: the store cannot be written.
        """
        files = self._files()
        if not self.folder.is_dir():
            raise UsageError(f"there is no folder {str(self.folder)!r} to be copied")
        if delete and not files:
            raise UsageError(
                f"there are no files in {self.folder}: delete=True would remove all of {self.url}"
            )
        with self._opened():
            objects = self._objects()
            done = self._copy(files, objects, is_download=False)
            extra = sorted(objects.keys() - files.keys()) if delete else []
            if extra:
                self._fs.rm([self._path(name) for name in extra])
        return Transfer(*done[:2], len(extra), done[2])

    # ---- both ways

    def _copy(
        self, names: Iterable[str], objects: Mapping[str, StoredObject], *, is_download: bool
    ) -> tuple[int, int, int]:
        """Copy what differs; how many files were copied, how many not, and the bytes."""
        work = self._get if is_download else self._put
        copied = unchanged = size = 0
        with ThreadPoolExecutor(self.parallelism) as pool:
            running = [pool.submit(self._one, work, name, objects.get(name)) for name in names]
            try:
                for each in as_completed(running):
                    done = each.result()
                    unchanged += done is None
                    copied += done is not None
                    size += done or 0
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return copied, unchanged, size

    def _one(self, work: Any, name: str, there: StoredObject | None) -> int | None:
        """Copy a file if it differs; its size, None if it does not."""
        if there is not None and self._is_same(name, there):
            return None
        size: int = work(name, there)
        return size

    def _is_same(self, name: str, there: StoredObject) -> bool:
        """Whether file and object are what they were when they were the same, or have one MD5."""
        path = self.folder / name
        here = _state_of(path)
        if here is None or here[0] != there.size:
            return False
        version, state, md5 = self._known.get(name, ["", [], ""])
        if version and version == there.version and list(here) == state:
            return True
        digests = digests_of(path)
        if digests & {there.etag} or (version == there.version and md5 in digests):
            self._note(name, there, here, min(digests, key=len))
            return True
        return False

    def _note(self, name: str, there: StoredObject, here: tuple[int, int], md5: str) -> None:
        self._known[name] = [there.version, list(here), md5]

    def _get(self, name: str, there: StoredObject) -> int:
        path = self.folder / name
        part = path.with_name(f".{path.name}{_PART}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._fs.get_file(self._path(name), str(part))
            digests = digests_of(part)
            size = part.stat().st_size
            if size != there.size or (there.has_md5 and there.etag not in digests):
                self._require_other_digest(name, size, there)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        here = _state_of(path)
        assert here is not None
        self._note(name, there, here, min(digests, key=len))
        return size

    def _put(self, name: str, _before: StoredObject | None) -> int:
        path, target = self.folder / name, self._path(name)
        here, digests = _state_of(path), digests_of(path)
        more = {"chunksize": MULTIPART} if self.url.startswith("s3") else {}
        if is_object_store(self.url):
            self._fs.put_file(str(path), target, **more)
        else:
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(path), target + _PART)
            self._fs.mv(target + _PART, target)
        there = StoredObject.of(self._fs.info(target))
        if here is None or here != _state_of(path):
            raise TransferError(f"{path} changed while it was copied")
        if there.size != here[0] or (there.etag and there.etag not in digests):
            self._require_other_digest(name, here[0], there)
        self._note(name, there, here, min(digests, key=len))
        return there.size

    def _require_other_digest(self, name: str, size: int, there: StoredObject) -> None:
        """Raise `TransferError` unless what the store tells is no digest of the content."""
        if size != there.size or not has_other_digest(self._fs, self._path(name), there):
            raise TransferError(
                f"{name} is not the same here and in {self.url}: {size:,} bytes here, "
                f"{there.size:,} there, or their digests differ",
                hint="Run it again; if that does not help, see who else writes there.",
            )

    # ---- the two sides

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        """Have the store at hand; its errors are explained, and the manifest is kept."""
        manifest = self.home / "sync" / f"{_digest(f'{self.url}{chr(0)}{self.folder}')}.json"
        with contextlib.suppress(OSError, ValueError):
            self._known = json.loads(manifest.read_bytes())
        with explained(self.url):
            from fsspec.core import url_to_fs

            self._fs, self._root = url_to_fs(
                self.url, skip_instance_cache=True, use_listings_cache=False, **self.options
            )
            self._root = self._root.rstrip("/")
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # all is compared anew then
                    write_atomically(manifest, json.dumps(self._known).encode())

    def _objects(self) -> dict[str, StoredObject]:
        """The objects below the prefix, by their path in it."""
        found = self._fs.find(self._root, detail=True)
        return {
            path[len(self._root) + 1 :]: StoredObject.of(info)
            for path, info in found.items()
            if path.startswith(f"{self._root}/") and not path.endswith(("/", _PART))
        }

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _files(self) -> dict[str, None]:
        """The files in the folder, by their path in it; links are followed, but for circles."""
        files: dict[str, None] = {}
        seen: set[str] = set()
        for place, folders, names in os.walk(self.folder, followlinks=True):
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            inside = os.path.relpath(place, self.folder)
            for name in names:
                path = name if inside == "." else f"{inside}/{name}"
                if not name.endswith(_PART) and (self.folder / path).is_file():
                    files[path] = None
        return files

    def _require_name(self, name: str) -> None:
        """Raise `TransferError` if an object's name leads out of the folder."""
        parts = name.split("/")
        if PurePosixPath(name).is_absolute() or {"", ".", ".."} & set(parts) or "\0" in name:
            raise TransferError(
                f"the object {name!r} in {self.url} has a name that no file here may have",
                hint="Give it another name in the store.",
            )

    def _remove(self, name: str) -> None:
        path = self.folder / name
        path.unlink()
        self._known.pop(name, None)
        with contextlib.suppress(OSError):  # it is not empty
            for parent in path.relative_to(self.folder).parents:
                if parent.name:
                    (self.folder / parent).rmdir()


def _state_of(path: Path) -> tuple[int, int] | None:
    """Size and time of the last change of a file; None if there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
