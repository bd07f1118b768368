"""Copies a file or folder of the user into the store, digesting it on the way.

A file is cloned where the filesystem shares blocks between files (reflink: btrfs, xfs), else
copied with its holes. It is never hard-linked: a hard link shares its content with the original for
ever, and the next run of a script that opens the same ``out.csv`` for writing would write through
it into the store.

Links that stay inside the folder are kept, links that lead out of it are replaced by what they
point to, dangling ones are kept. FIFOs, sockets and devices are refused.
"""

from __future__ import annotations

import os
import stat
from dataclasses import field

from kalelite.errors import UnmarshallableError
from kalelite.file_copy import Reflinks, extents, write_at
from kalelite.frozen import mutable
from kalelite.marshal.digest import Digest, file_chunks, hasher
from kalelite.marshal.listing import Entry

_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)


@mutable
class Adoption:
    """One walk from a path of the user into a folder of the store.

    Attributes
    ----------
    algorithm
        Of the digests of files.
    mode
        Bits that what is made may have: folders and programs all of them, files all but execution.
    sync
        Whether to sync each file to the disk.
    """

    algorithm: str
    mode: int = 0o777
    sync: bool = False
    entries: list[Entry] = field(default_factory=list)
    _reflinks: Reflinks = field(default_factory=Reflinks)
    _walk: list[str] = field(default_factory=list)

    def adopt(self, source: str, target: str, name: str) -> None:
        """Copy `source` to `target`, and list it as `name`.

        Raises `UnmarshallableError`: there is something that cannot be stored, or a file changed
        while it was read; `OSError`: the target cannot be written, or the source not be read.
        """
        self._walk = [os.path.realpath(source)]
        self._any(source, target, name, os.stat(source))

    def _any(self, source: str, target: str, path: str, state: os.stat_result) -> None:
        if stat.S_ISREG(state.st_mode):
            self._file(source, target, path)
        elif stat.S_ISDIR(state.st_mode):
            self._folder(source, target, path)
            os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
            os.chmod(target, self.mode)
        else:
            raise _refused(source, f"is {_kind(state.st_mode)}")

    def _folder(self, source: str, target: str, path: str) -> None:
        os.mkdir(target)
        self.entries.append(Entry(path, "folder"))
        for name in sorted(os.listdir(source)):
            inner, into = f"{source}/{name}", f"{target}/{name}"
            state = os.lstat(inner)
            if not stat.S_ISLNK(state.st_mode):
                self._any(inner, into, f"{path}/{name}", state)
            elif self._stays(source, inner):
                link = os.readlink(inner)
                os.symlink(link, into)
                self.entries.append(Entry(f"{path}/{name}", "link", target=link))
            else:
                self._follow(inner, into, f"{path}/{name}")

    def _stays(self, folder: str, link: str) -> bool:
        """Whether a link means the same in the copy: relative and inside, or dangling."""
        target = os.readlink(link)
        real = os.path.realpath(os.path.join(folder, target))
        if not os.path.lexists(real):
            return True
        root = self._walk[0]
        return not os.path.isabs(target) and (real == root or real.startswith(root + "/"))

    def _follow(self, link: str, target: str, path: str) -> None:
        real = os.path.realpath(link)
        if any(f"{seen}/".startswith(f"{real}/") for seen in self._walk):
            raise _refused(link, f"is a link to a folder that it stands in ({real})")
        self._walk.append(real)
        try:
            self._any(real, target, path, os.stat(real))
        finally:
            self._walk.pop()

    def _file(self, source: str, target: str, path: str) -> None:
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                raise _refused(source, f"is {_kind(before.st_mode)}")
            digest = hasher(self.algorithm)
            executable = bool(before.st_mode & 0o100)
            mode = self.mode if executable else self.mode & 0o666
            size = self._copy(fd, target, before, digest, mode)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise _refused(source, "changed while it was stored")
        self.entries.append(Entry(path, "file", size, digest.hexdigest(), executable))

    def _copy(self, fd: int, target: str, state: os.stat_result, digest: Digest, mode: int) -> int:
        """Copy an open file to a new one; its size."""
        size = state.st_size
        out = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if size and self._reflinks.clone(fd, out):
                for chunk in file_chunks(out, size):
                    digest.update(chunk)
            else:
                size = _copy_data(fd, out, size, digest)
            os.utime(out, ns=(state.st_atime_ns, state.st_mtime_ns))
            os.fchmod(out, mode)
            if self.sync:
                os.fsync(out)
        finally:
            os.close(out)
        return size


def _copy_data(fd: int, out: int, size: int, digest: Digest) -> int:
    """Copy with holes, and digest holes as the zeros that they read as; the size.

    A file is read to its end: those of /proc tell no size, and those of /sys a larger one.
    """
    at = 0
    for start, end, data in extents(fd, size):
        if data:
            at = start
            while at < end and (chunk := os.pread(fd, min(_CHUNK, end - at), at)):
                at += _write(out, at, chunk, digest)
        else:
            _digest_zeros(end - start, digest)
            at = end
    while chunk := os.pread(fd, _CHUNK, at):
        at += _write(out, at, chunk, digest)
    os.ftruncate(out, at)
    return at


def _write(out: int, at: int, chunk: bytes, digest: Digest) -> int:
    """Write at an offset, and digest; the number of bytes."""
    digest.update(chunk)
    return write_at(out, chunk, at)


def _digest_zeros(count: int, digest: Digest) -> None:
    while count > 0:
        digest.update(memoryview(_ZEROS)[: min(count, _CHUNK)])
        count -= _CHUNK


_KINDS = {"p": "a FIFO", "s": "a socket", "c": "a device", "b": "a device"}


def _kind(mode: int) -> str:
    return _KINDS.get(stat.filemode(mode)[0], "neither a file nor a folder")


def _refused(path: str, why: str) -> UnmarshallableError:
    return UnmarshallableError(
        f"{path} {why}, so it cannot be handed to another step",
        hint="return str(path) to hand on only the name",
    )
