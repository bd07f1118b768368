"""Copying the content of files: shared blocks where the filesystem has them, else with its holes."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator

from kalelite.frozen import mutable

_FICLONE = 0x40049409
_CHUNK = 1 << 20
_NOT_HERE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV}


@mutable
class Reflinks:
    """Clones files block by block (btrfs, xfs) as long as the filesystem can."""

    possible: bool = True

    def clone(self, fd: int, out: int) -> bool:
        """Let a new, empty file share the blocks of another; False if that cannot be done."""
        if not self.possible:
            return False
        try:
            fcntl.ioctl(out, _FICLONE, fd)
        except OSError as error:
            # Not here, or not between these two: do not ask for each of 20,000 files.
            self.possible = error.errno not in _NOT_HERE
            return False
        return True


def extents(fd: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """The runs of data and the holes of a file: begin, end, and whether it is data."""
    begin, is_sparse = 0, os.fstat(fd).st_blocks * 512 < size
    while begin < size:
        data, end = begin, size
        if is_sparse:
            try:
                data = os.lseek(fd, begin, os.SEEK_DATA)
                end = min(os.lseek(fd, data, os.SEEK_HOLE), size)
            except OSError as error:  # there is no more data, or the filesystem cannot tell
                data = size if error.errno == errno.ENXIO else begin
        if begin < data:
            yield begin, data, False
        if data < end:
            yield data, end, True
        begin = end


def copy_content(fd: int, out: int, size: int) -> int:
    """Copy an open file of about that size to a new one, with its holes; how many bytes it has.

    It is read to its end: files of /proc tell no size, and others may have grown.
    """
    at = 0
    for start, end, is_data in extents(fd, size):
        at = _copy_range(fd, out, start, end) if is_data else end
    while chunk := os.pread(fd, _CHUNK, at):
        at += write_at(out, chunk, at)
    if at and os.fstat(out).st_size != at:
        os.ftruncate(out, at)
    return at


def _copy_range(fd: int, out: int, start: int, end: int) -> int:
    """Copy bytes from `start` to `end`, within the kernel where it can; where that ended."""
    at = start
    if end - start > _CHUNK and hasattr(os, "copy_file_range"):
        try:
            while at < end and (done := os.copy_file_range(fd, out, end - at, at, at)):
                at += done
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise
    while at < end and (chunk := os.pread(fd, min(_CHUNK, end - at), at)):
        at += write_at(out, chunk, at)
    return at


def write_at(out: int, chunk: bytes, at: int) -> int:
    """Write all of it at an offset; the number of bytes."""
    done = 0
    while done < len(chunk):
        done += os.pwrite(out, memoryview(chunk)[done:], at + done)
    return done
