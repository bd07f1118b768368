"""What the store asks of the operating system, and the errors for its refusals.

Readers open files without following links and without ever blocking on a FIFO.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence

from kalelite.errors import CorruptObjectError, MarshalError, MissingObjectError, StoreFullError
from kalelite.marshal.framing import view_of
from kalelite.marshal.registry import Buffer

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_MOST_PIECES = 1_000  # of the 1,024 that the system takes
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


def no_room(error: OSError, root: str, needed: int) -> MarshalError:
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


def write_all(fd: int, data: Buffer) -> None:
    """Write everything, however the system cuts it up."""
    done = os.write(fd, data)
    with view_of(data) as view:
        while done < view.nbytes:
            done += os.write(fd, view[done:])


def batches(pieces: Iterable[memoryview], size: int) -> Iterator[list[memoryview]]:
    """The pieces, cut so that a batch ends at each multiple of `size`.

    What is written so lies in the page cache in large pages, which are mapped at one go.
    """
    batch: list[memoryview] = []
    room = size
    for piece in pieces:
        start = 0
        while start < piece.nbytes:
            batch.append(part := piece[start : start + room])
            start += part.nbytes
            room = (room - part.nbytes) or size
            if room == size or len(batch) == _MOST_PIECES:
                yield batch
                batch = []
    if batch:
        yield batch


def write_batch(fd: int, batch: Sequence[memoryview]) -> int:
    """Write several pieces, however the system cuts them up; how many bytes that were."""
    done, size = os.writev(fd, batch), sum(piece.nbytes for piece in batch)
    if done < size:
        write_all(fd, b"".join(batch)[done:])
    return size


def map_private(fd: int, size: int) -> mmap.mmap:
    """A writable image of a file that is nobody else's; takes no memory until it is touched."""
    flags = mmap.MAP_PRIVATE | _NORESERVE
    return mmap.mmap(fd, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def remove_tree(folder: str) -> None:
    """Remove a folder of the store, whose folders nobody may write."""
    from shutil import rmtree  # most steps remove none

    for root, _, _ in os.walk(folder):
        os.chmod(root, 0o700)
    rmtree(folder)
