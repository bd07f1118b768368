"""Digests of what files hold: those that code names by a `Path`. It travels with the steps."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kalelite.blake import blake2b, hashed

_LARGE_FILE = 1 << 28
"""Of files above this, in bytes, size and time count instead of the content."""
_CHUNK = 1 << 20


def content(path: Path) -> bytes:
    """A digest of a file, or of a folder's files with their names; empty if it cannot be read."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            files = [
                Path(folder, name)
                for folder, _, names in os.walk(path)
                if not _is_made(Path(folder).name)
                for name in names
            ]
            named = {str(file.relative_to(path)): content(file) for file in files}
            return hashed(
                *(
                    f"{name}\0{named[name].hex()}".encode("utf-8", "surrogatepass")
                    for name in sorted(named)
                )
            )
        if not stat.S_ISREG(status.st_mode):
            return b""
        if status.st_size > _LARGE_FILE:
            return f"{status.st_size} {status.st_mtime_ns}".encode()
        digest = blake2b()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.digest()
    except OSError:
        return b""


def _is_made(folder: str) -> bool:
    """Whether Python made it, or Kubernetes, for a version of a mounted ConfigMap."""
    return folder == "__pycache__" or folder.startswith("..")
