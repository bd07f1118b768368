"""Files that appear as a whole or not at all."""

from __future__ import annotations

import errno
import io
import os
from io import BufferedWriter
from pathlib import Path

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def write_atomically(path: str | Path, data: bytes, *, durable: bool = False) -> None:
    """Replace a file's content at one stroke; folders above it are made if need be.

    `durable` makes it outlive a power failure.

    Raises `OSError`: it cannot be written.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        with _created(part) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(Path(path).parent)


def _created(path: str) -> BufferedWriter:
    """A new file, in a folder that is made if need be."""
    try:
        return io.open(path, "wb")
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return _created(path)


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder survive a power failure, where the filesystem can."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:  # some network filesystems write names through at once
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)
