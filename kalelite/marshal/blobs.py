"""Blobs of the store: files written atomically under their digest, and checked when read.

A file appears under its name complete or not at all: it is written under a temporary name in
the same filesystem, digested on the way, and renamed.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from typing import NamedTuple

from kalelite.atomic import sync_folder
from kalelite.errors import MarshalError, MissingObjectError
from kalelite.frozen import mutable
from kalelite.marshal.digest import (
    Digesting,
    default_algorithm,
    file_chunks,
    hasher,
    reference_to,
    split_reference,
)
from kalelite.marshal.disk import (
    batches,
    corrupt,
    map_private,
    no_room,
    open_regular,
    remove_tree,
    write_all,
    write_batch,
)

TEMPORARY = "tmp"
"""Folder of a store for what is not complete yet; on the same filesystem, so it can be renamed."""

_BATCH = 1 << 19  # more makes the page cache look for large pages, which can take ten times as long
_LARGE_BATCH = 8 << 20  # for what is so large that mapping it in small pages takes longer still
_LARGE = 1 << 30
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_count = itertools.count()


class BlobName(NamedTuple):
    """What a blob is called. `kind` is "objects", "payloads" or "files"."""

    kind: str
    reference: str
    suffix: str = ""


@mutable
class BlobStore:
    """The folder of a store.

    Attributes
    ----------
    root
        The folder; made when first written to.
    algorithm
        Digest of what is written; by default xxh3 where xxhash is installed, else sha256.
    durable
        Whether each file is synced to the disk before it gets its name.
    patience
        For how many seconds a name that is not there is looked for: NFS clients remember for a
        while that a name did not exist.
    """

    root: str
    algorithm: str = ""
    durable: bool = False
    patience: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    _mode: int = field(default=0, init=False)
    _held: dict[str, int] = field(default_factory=dict, init=False)
    _writer: tuple[int, str] = field(default=(0, ""), init=False)

    def __post_init__(self) -> None:
        self.algorithm = self.algorithm or default_algorithm()
        hasher(self.algorithm)  # raises if there is none

    def path(self, name: BlobName) -> str:
        """Where a blob of that name stands."""
        hexdigits = split_reference(name.reference)[1]
        return f"{self.root}/{name.kind}/{hexdigits[:2]}/{name.reference}{name.suffix}"

    def reference_to(self, pieces: Iterable[memoryview]) -> str:
        """The reference that those bytes get here."""
        return reference_to(pieces, self.algorithm)

    # ---- writing

    def write_small(self, kind: str, data: bytes | bytearray) -> str:
        """Store bytes that are at hand; the reference."""
        reference = reference_to([data], self.algorithm)
        name = BlobName(kind, reference)
        if self._holds(name, data):
            return reference
        with self._temporary_file(len(data)) as (fd, temporary):
            write_all(fd, data)
            self._publish(fd, temporary, self.path(name))
        return reference

    def _holds(self, name: BlobName, data: bytes | bytearray) -> bool:
        """Whether these very bytes are there already, and no collection will soon take them.

        Replacing a file makes ext4 write it to the disk at once, which costs a step more than all
        the rest. A durable store wants just that.
        """
        if self.durable or not self.touch(name):
            return False
        try:
            return self.read(name) == data
        except (MarshalError, OSError):
            return False

    def write_large(self, kind: str, pieces: Sequence[memoryview], size: int, suffix: str) -> str:
        """Store bytes, digesting them meanwhile; the reference."""
        with (
            self._temporary_file(size) as (fd, temporary),
            Digesting(fd, self.algorithm) as digest,
        ):
            if not self.durable and hasattr(os, "posix_fallocate"):
                # Makes ext4 and xfs write faster, and a full disk is known at once. Not on
                # network filesystems, where it may be emulated by writing every block.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(fd, 0, size)
            for batch in batches(pieces, _BATCH if size < _LARGE else _LARGE_BATCH):
                digest.wrote(write_batch(fd, batch))
            reference = digest.reference()
            self._publish(fd, temporary, self.path(BlobName(kind, reference, suffix)))
        return reference

    @contextlib.contextmanager
    def _temporary_file(self, needed: int) -> Iterator[tuple[int, str]]:
        """A new file, open, and its name; gone at the end unless it was renamed."""
        name = self.new_name()
        try:
            fd = self.create(name)
            try:
                yield fd, name
            finally:
                os.close(fd)  # on NFS, a full disk may be known only now
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.unlink(name)
            if isinstance(error, OSError):
                raise no_room(error, self.root, needed) from error
            raise

    def create(self, name: str) -> int:
        """A new file, in a folder that is made if need be."""
        try:
            return os.open(name, _CREATE, self.mode() & 0o444)
        except FileNotFoundError:
            self.make_folder(os.path.dirname(name))
            return os.open(name, _CREATE, self.mode() & 0o444)

    def new_name(self) -> str:
        """A name for something temporary; two nodes may have one pid, so that alone will not do."""
        pid = os.getpid()
        if self._writer[0] != pid:
            self._writer = (pid, f"{self.root}/{TEMPORARY}/{pid}-{os.urandom(8).hex()}")
        return f"{self._writer[1]}-{next(_count)}"

    def new_folder(self) -> str:
        """A new temporary folder, locked so that no sweep takes it while it is in use."""
        name = self.new_name()
        self.make_folder(os.path.dirname(name))
        os.mkdir(name)
        os.chmod(name, self.mode())
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # not every network filesystem has locks
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._held[name] = fd
        return name

    def release(self, folder: str) -> None:
        """A temporary folder got its name or is gone: it need not be kept from the sweep."""
        if (fd := self._held.pop(folder, None)) is not None:
            os.close(fd)

    @contextlib.contextmanager
    def temporary_folder(self) -> Iterator[str]:
        """A new folder, removed at the end unless it was renamed."""
        folder = self.new_folder()
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                remove_tree(folder)
            self.release(folder)

    def mode(self) -> int:
        """Mode of the store's folder, which rules who may read and write what is in it."""
        if not self._mode:
            self._mode = stat.S_IMODE(os.stat(self.root).st_mode)
        return self._mode

    def seal(self, fd: int) -> None:
        """Make a file what it stays.

        Stored files are never changed, so nobody may write them. Who may read them is ruled
        by the store's folder, not by the umask of the step that happened to write.
        """
        mode = self.mode() & 0o444
        if os.fstat(fd).st_mode & 0o777 != mode:  # looking is cheap, changing is not
            os.fchmod(fd, mode)
        if self.durable:
            os.fsync(fd)

    def _publish(self, fd: int, temporary: str, path: str) -> None:
        """Give the complete file its name, replacing what may be there."""
        self.seal(fd)
        try:
            os.replace(temporary, path)
        except FileNotFoundError:
            self.make_folder(os.path.dirname(path))
            os.replace(temporary, path)
        if self.durable:
            sync_folder(os.path.dirname(path))

    def make_folder(self, folder: str) -> None:
        """Make a folder of the store, with the mode of the store's own: see `seal`."""
        os.makedirs(self.root, exist_ok=True)
        missing = []
        while folder != self.root and not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for name in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name)
                os.chmod(name, self.mode())
        if self.durable and missing:
            sync_folder(folder)

    def touch(self, name: BlobName) -> bool:
        """Make a blob as young as if it had just been written; False if it is gone."""
        try:
            os.utime(self.path(name))
        except OSError:
            return False
        return True

    # ---- reading

    def open(self, name: BlobName) -> tuple[int, int]:
        """A file descriptor and the size; the caller closes it.

        Raises `MissingObjectError`: there is no such file, for as long as `patience`;
        `CorruptObjectError`: something else stands in its place.
        """
        path = self.path(name)
        try:
            return open_regular(path, name.reference)
        except MissingObjectError:
            for pause in self._pauses():
                self.sleep(pause)
                with contextlib.suppress(OSError):
                    os.listdir(os.path.dirname(path))  # makes an NFS client look again
                with contextlib.suppress(MissingObjectError):
                    return open_regular(path, name.reference)
            raise

    def _pauses(self) -> Iterator[float]:
        """Pauses between attempts."""
        yield 0.01  # a collection may be putting the file back
        waited, pause = 0.01, 0.05
        while waited < self.patience:
            yield pause
            waited += pause
            pause = min(pause * 2, 2.0)

    def read(self, name: BlobName) -> bytearray:
        """A whole blob, its digest checked."""
        fd, size = self.open(name)
        try:
            data = _read(fd, size)
        finally:
            os.close(fd)
        self.check(name, [memoryview(data)], name.reference)
        return data

    def check(self, name: BlobName, pieces: Iterable[memoryview], reference: str) -> None:
        """Compare the digest of bytes of a blob with what it should be.

        Raises `CorruptObjectError`: it differs.
        """
        if reference_to(pieces, split_reference(reference)[0]) != reference:
            raise corrupt(name.reference, self.path(name))

    def map(self, name: BlobName, size: int) -> mmap.mmap | bytearray:
        """A private, writable image of a blob; pages are read when they are touched.

        Where the filesystem cannot map, the bytes are read.
        """
        fd, actual = self.open(name)
        try:
            if actual != size:
                why = f"it has {actual:,} bytes, {size:,} were written"
                raise corrupt(name.reference, self.path(name), why)
            try:
                return map_private(fd, size)
            except OSError:
                return _read(fd, size)
        finally:
            os.close(fd)

    def verify(self, name: BlobName) -> None:
        """Read a blob again and compare its digest.

        Raises `CorruptObjectError`: it differs.
        """
        fd, size = self.open(name)
        try:
            self.check(name, file_chunks(fd, size), name.reference)
        except OSError as error:
            raise corrupt(name.reference, self.path(name), str(error)) from error
        finally:
            os.close(fd)

    def state(self, name: BlobName) -> tuple[int, int] | None:
        """Which file that is now, and when it was written to; None if it is gone."""
        with contextlib.suppress(OSError):
            state = os.lstat(self.path(name))
            return state.st_ino, state.st_mtime_ns
        return None


def _read(fd: int, size: int) -> bytearray:
    """The first `size` bytes of a file, or as many as there are."""
    data = bytearray(size)
    done = os.preadv(fd, [data], 0)
    with memoryview(data) as view:
        while done < size and (got := os.preadv(fd, [view[done:]], done)):
            done += got
    return data if done == size else data[:done]
