"""Garbage collection: removes values that nobody refers to, beside steps that are running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator

from kalelite.errors import CorruptObjectError, MissingObjectError
from kalelite.frozen import frozen
from kalelite.marshal.blobs import TEMPORARY, BlobName, BlobStore
from kalelite.marshal.disk import no_room, remove_tree
from kalelite.marshal.manifest import Manifest


@frozen
class Freed:
    """How many files and folders were removed, and how many bytes they held."""

    count: int = 0
    size: int = 0


def sweep(blobs: BlobStore, older_than: float) -> Freed:
    """Remove temporary files and folders that nothing has written to for `older_than` seconds."""
    folder = f"{blobs.root}/{TEMPORARY}"
    if not os.path.isdir(folder):
        return Freed()
    return _remove(blobs, (f"{folder}/{name}" for name in os.listdir(folder)), older_than)


def collect(
    blobs: BlobStore, keep: Iterable[str], older_than: float, *, dry: bool = False
) -> Freed:
    """Remove objects, payloads and adopted files that `keep` does not lead to; or only count them."""
    live = _live(blobs, keep)
    return _remove(blobs, _dead(blobs, live), older_than, dry=dry)


def _live(blobs: BlobStore, keep: Iterable[str]) -> set[str]:
    """Names that have to stay."""
    names: set[str] = set()
    for reference in keep:
        names.add(reference)
        # Without a manifest it leads to nothing that anyone could load.
        with contextlib.suppress(MissingObjectError, CorruptObjectError):
            manifest = Manifest.from_bytes(blobs.read(BlobName("objects", reference)))[0]
            names |= {manifest.payload + manifest.suffix, *manifest.links}
    return names


def _dead(blobs: BlobStore, live: set[str]) -> Iterator[str]:
    for kind in ("objects", "payloads", "files"):
        for folder, folders, names in os.walk(f"{blobs.root}/{kind}"):
            if folder != f"{blobs.root}/{kind}":
                yield from (f"{folder}/{name}" for name in names + folders if name not in live)
                folders.clear()


def _remove(
    blobs: BlobStore, paths: Iterable[str], older_than: float, *, dry: bool = False
) -> Freed:
    count = size = 0
    try:
        before = _now(blobs) - older_than
        for path in paths:
            freed = _remove_one(blobs, path, before, dry=dry)
            if freed is not None:
                count, size = count + 1, size + freed
    except OSError as error:
        raise no_room(error, blobs.root, 0) from error
    return Freed(count, size)


def _now(blobs: BlobStore) -> float:
    """The time by the clock that stamps the files: a server's may differ from this machine's."""
    with blobs.temporary_folder() as folder:
        return os.stat(folder).st_mtime


def _remove_one(blobs: BlobStore, path: str, before: float, *, dry: bool) -> int | None:
    """Remove a file or folder last changed before `before`; how many bytes that frees."""
    try:
        if os.lstat(path).st_mtime >= before or _in_use(path):
            return None
        if dry:
            return _size(path)
        # A step may store the same content right now, which gives the name a new file. So first
        # take what has the name away, then look again at what was taken.
        taken = blobs.new_name()
        os.rename(path, taken)
    except FileNotFoundError:
        return None
    state = os.lstat(taken)
    if state.st_mtime >= before:
        try:
            os.rename(taken, path)
        except OSError:  # a folder that was stored again meanwhile
            remove_tree(taken)
        return None
    size = _size(taken)
    if stat.S_ISDIR(state.st_mode):
        remove_tree(taken)
    else:
        os.unlink(taken)
    return size


def _size(path: str) -> int:
    """The bytes on the disk of a file, or of the files in a folder."""
    state = os.lstat(path)
    if not stat.S_ISDIR(state.st_mode):
        return state.st_blocks * 512
    return sum(
        os.lstat(f"{folder}/{name}").st_blocks * 512
        for folder, _, names in os.walk(path)
        for name in names
    )


def _in_use(path: str) -> bool:
    """Whether a process holds the lock of a temporary folder."""
    if not os.path.isdir(path) or os.path.islink(path):
        return False
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
