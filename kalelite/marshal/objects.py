"""Files of the store: written atomically under the name of their digest, read with suspicion.

This is the only module of the marshal part that writes. A file appears under its name complete
or not at all; readers open it without following links and without ever blocking on a FIFO.
"""

# Flags, descriptors and errno are the subject here, and os is their vocabulary.
# ruff: noqa: PTH101, PTH102, PTH103, PTH105, PTH108, PTH112, PTH116, PTH120, PTH208
from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from pickle import PickleBuffer

from kalelite.errors import CorruptObjectError, MarshalError, MissingObjectError, StoreFullError
from kalelite.marshal.digest import hasher, split_reference
from kalelite.marshal.manifest import padding
from kalelite.marshal.registry import Buffer, Frame

__all__ = ["TEMPORARY", "Files", "corrupt", "flatten", "no_room", "open_regular", "sync_folder"]

TEMPORARY = "tmp"
"""Folder of a store for what is not complete yet; on the same filesystem, so it can be renamed."""

_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


def flatten(frames: Iterable[Frame]) -> Iterator[memoryview]:
    """The bytes of all frames in order, with the padding between them."""
    gap = 0
    for frame in frames:
        if gap:
            yield memoryview(bytes(gap))
        size = 0
        pieces = (
            [frame] if isinstance(frame, bytes | bytearray | memoryview | PickleBuffer) else frame
        )
        for piece in pieces:
            raw = view_of(piece)
            size += raw.nbytes
            yield raw
        gap = padding(size)


def view_of(piece: Buffer) -> memoryview:
    """A flat view of the bytes of a contiguous buffer."""
    return piece.raw() if isinstance(piece, PickleBuffer) else PickleBuffer(piece).raw()


def no_room(error: OSError, root: Path, needed: int) -> MarshalError:
    """The named error for an operating system's refusal to write."""
    if error.errno in _FULL:
        free = ""
        with contextlib.suppress(OSError):
            state = os.statvfs(root)
            free = f", {state.f_bavail * state.f_frsize:,} bytes are free"
        return StoreFullError(
            f"the marshal store {root} is full: {needed:,} bytes are needed{free}",
            hint="free space with `kalelite clean --store`, or give the store a larger volume "
            "(marshal_volume_size=)",
        )
    if error.errno in _DENIED:
        return StoreFullError(
            f"the marshal store {root} may not be written: {os.strerror(error.errno or 0)}",
            hint="check the owner and the mode of the folder, and that its volume is not read-only",
        )
    return MarshalError(f"cannot write to the marshal store {root}: {error}")


@dataclass(slots=True)
class Files:
    """The folder of a store.

    Attributes
    ----------
    root
        The folder; made when first written to.
    algorithm
        Digest of what is written.
    durable
        Whether each file is synced to the disk before it gets its name.
    patience
        For how many seconds a name that is not there is looked for: NFS clients remember for a
        while that a name did not exist.
    """

    root: Path
    algorithm: str
    durable: bool = False
    patience: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    _mode: int = field(default=0, init=False)
    _held: dict[str, int] = field(default_factory=dict, init=False)

    def path(self, kind: str, reference: str, suffix: str = "") -> Path:
        """Where a file of that name stands. `kind` is "objects" or "payloads"."""
        return Path(self._path(kind, reference, suffix))

    def _path(self, kind: str, reference: str, suffix: str) -> str:
        hexdigits = split_reference(reference)[1]
        return f"{self.root}/{kind}/{hexdigits[:2]}/{reference}{suffix}"

    # ---- writing

    def write_small(self, kind: str, data: bytes | bytearray) -> str:
        """Store bytes that are at hand; the reference."""
        digest = hasher(self.algorithm)
        digest.update(data)
        reference = f"{self.algorithm}-{digest.hexdigest()}"
        with self._temporary(len(data)) as (fd, name):
            _write(fd, memoryview(data))
            self._publish(fd, name, self._path(kind, reference, ""))
        return reference

    def write_large(self, kind: str, pieces: Iterable[memoryview], size: int, suffix: str) -> str:
        """Store bytes as they come, digesting each chunk while it is in the cache."""
        digest = hasher(self.algorithm)
        with self._temporary(size) as (fd, name):
            if not self.durable and hasattr(os, "posix_fallocate"):
                # Makes ext4 and xfs write faster, and a full disk is known at once. Not on
                # network filesystems, where it may be emulated by writing every block.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(fd, 0, size)
            for piece in pieces:
                for start in range(0, piece.nbytes, _CHUNK):
                    chunk = piece[start : start + _CHUNK]
                    digest.update(chunk)
                    _write(fd, chunk)
            reference = f"{self.algorithm}-{digest.hexdigest()}"
            self._publish(fd, name, self._path(kind, reference, suffix))
        return reference

    @contextlib.contextmanager
    def _temporary(self, needed: int) -> Iterator[tuple[int, str]]:
        """A new file that is gone afterwards unless it was published."""
        name = self.new_name()
        try:
            fd = self._create(name)
            try:
                yield fd, name
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
            finally:
                os.close(fd)
        except OSError as error:
            raise no_room(error, self.root, needed) from error

    def _create(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(name, flags, 0o666)
        except FileNotFoundError:
            self.make_folder(os.path.dirname(name))
            return os.open(name, flags, 0o666)

    def new_name(self) -> str:
        """A name for something temporary; two nodes may have one pid, so that alone will not do."""
        return f"{self.root}/{TEMPORARY}/{os.getpid()}-{secrets.token_hex(8)}"

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

    def mode(self) -> int:
        """Mode of the store's folder."""
        if not self._mode:
            self._mode = stat.S_IMODE(os.stat(self.root).st_mode)
        return self._mode

    def write_named(self, path: str, data: bytes) -> None:
        """Write a file that gets its final name with the folder that it is in."""
        fd = self._create(path)
        try:
            _write(fd, memoryview(data))
            os.fchmod(fd, self.mode() & 0o444)
            if self.durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _publish(self, fd: int, temporary: str, path: str) -> None:
        """Give the complete file its name, replacing what may be there."""
        # Stored files are never changed, so nobody may write them. Who may read them is said by
        # the store's folder, not by the umask of the step that happened to write.
        os.fchmod(fd, self.mode() & 0o444)
        if self.durable:
            os.fsync(fd)
        folder = os.path.dirname(path)
        try:
            os.replace(temporary, path)
        except FileNotFoundError:
            self.make_folder(folder)
            os.replace(temporary, path)
        if self.durable:
            sync_folder(folder)

    def make_folder(self, folder: str) -> None:
        """Make a folder of the store, with the mode of the store's own: see `_publish`."""
        os.makedirs(self.root, exist_ok=True)
        mode = stat.S_IMODE(os.stat(self.root).st_mode)
        missing = []
        while folder != str(self.root) and not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for name in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name)
                os.chmod(name, mode)
        if self.durable and missing:
            sync_folder(folder)

    # ---- reading

    def open(self, kind: str, reference: str, suffix: str = "") -> tuple[int, int]:
        """A file descriptor and the size; the caller closes it.

        Raises
        ------
        MissingObjectError
            There is no such file, for as long as `patience`.
        CorruptObjectError
            Something else stands in its place.
        """
        path = self._path(kind, reference, suffix)
        for pause in self._pauses():
            try:
                return open_regular(path, reference)
            except MissingObjectError:
                if pause is None:
                    raise
            self.sleep(pause)
            with contextlib.suppress(OSError):
                os.listdir(os.path.dirname(path))  # makes an NFS client look again
        raise AssertionError("the last pause is None")

    def _pauses(self) -> Iterator[float | None]:
        """Pauses between attempts, None for the last one."""
        yield 0.01  # `clean` may be putting the file back
        waited, pause = 0.01, 0.05
        while waited < self.patience:
            yield pause
            waited += pause
            pause = min(pause * 2, 2.0)
        yield None

    def read(self, kind: str, reference: str, suffix: str = "") -> bytearray:
        """A whole file, its digest checked."""
        fd, size = self.open(kind, reference, suffix)
        try:
            data = bytearray(size)
            done = 0
            with memoryview(data) as view:
                while done < size and (got := os.readv(fd, [view[done:]])):
                    done += got
        finally:
            os.close(fd)
        algorithm, expected = split_reference(reference)
        digest = hasher(algorithm)
        digest.update(data)
        if done != size or digest.hexdigest() != expected:
            raise corrupt(reference, self._path(kind, reference, suffix))
        return data

    def map(self, kind: str, reference: str, suffix: str, size: int) -> mmap.mmap | bytearray:
        """A private, writable image of a file; pages are read when they are touched.

        Where the filesystem cannot map, the bytes are read.
        """
        fd, actual = self.open(kind, reference, suffix)
        try:
            if actual != size:
                raise corrupt(
                    reference,
                    self._path(kind, reference, suffix),
                    f"it has {actual:,} bytes, {size:,} were written",
                )
            try:
                return _map(fd, size)
            except OSError:
                data = bytearray(size)
                with memoryview(data) as view:
                    done = 0
                    while done < size and (got := os.preadv(fd, [view[done:]], done)):
                        done += got
                return data
        finally:
            os.close(fd)

    def verify(self, kind: str, reference: str, suffix: str = "") -> None:
        """Read a file again and compare its digest.

        Raises
        ------
        CorruptObjectError
            It differs.
        """
        algorithm, expected = split_reference(reference)
        digest = hasher(algorithm)
        fd, size = self.open(kind, reference, suffix)
        try:
            buffer = bytearray(min(_CHUNK, size))
            with memoryview(buffer) as view:
                while got := os.readv(fd, [view]):
                    digest.update(view[:got])
        except OSError as error:
            raise corrupt(reference, self._path(kind, reference, suffix), str(error)) from error
        finally:
            os.close(fd)
        if digest.hexdigest() != expected:
            raise corrupt(reference, self._path(kind, reference, suffix))


def open_regular(path: str, reference: str) -> tuple[int, int]:
    """A descriptor and the size of a file, if it is one: no link is followed, no FIFO waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(error, reference, path) from error
    state = os.fstat(fd)
    if stat.S_ISREG(state.st_mode):
        return fd, state.st_size
    os.close(fd)
    raise CorruptObjectError(f"{path} is not a file", hint=_HEAL)


_HEAL = "run the step that made it again (`--no-cache` makes it run), and check the disk"


def corrupt(reference: str, path: str, why: str = "its digest differs") -> CorruptObjectError:
    """The error for bytes that are not those that were written."""
    return CorruptObjectError(
        f"the stored value {reference} is damaged: {why} ({path})", hint=_HEAL
    )


def _unreadable(error: OSError, reference: str, path: str) -> MarshalError:
    if error.errno in {errno.ENOENT, errno.ESTALE, errno.ENOTDIR}:
        return MissingObjectError(
            f"there is no stored value {reference} ({path})",
            hint="it was cleaned away, or the store is another one than it was written to",
        )
    if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENODEV}:
        return CorruptObjectError(f"{path} is not a file", hint=_HEAL)
    return MarshalError(
        f"the stored value {reference} cannot be read: {os.strerror(error.errno or 0)} ({path})",
        hint="check the owner and mode of the store, and the user that this step runs as",
    )


def _write(fd: int, data: memoryview) -> None:
    while data.nbytes:
        data = data[os.write(fd, data) :]


def _map(fd: int, size: int) -> mmap.mmap:
    flags = mmap.MAP_PRIVATE | _NORESERVE
    return mmap.mmap(fd, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def sync_folder(folder: str) -> None:
    """Make the names in a folder survive a power failure, where the filesystem can."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(fd)
