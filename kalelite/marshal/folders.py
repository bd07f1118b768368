"""Files and folders that the store keeps: one folder each, with a listing and the content.

    files/ab/<reference>/listing
    files/ab/<reference>/content/<name>     what consumers get a path to

What consumers get is read-only: folders 0555, files 0444. A process that no mode binds (root)
gets a copy of its own, up to `COPIED` bytes; above, it gets the stored one, and a step that
writes to it fails, with the name, before it commits.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kalelite.atomic import sync_folder
from kalelite.errors import CorruptObjectError, MissingObjectError, UnmarshallableError
from kalelite.marshal.adopt import Adoption
from kalelite.marshal.blobs import TEMPORARY, BlobName, BlobStore
from kalelite.marshal.digest import file_chunks, reference_to, split_reference
from kalelite.marshal.disk import corrupt, no_room, open_regular, remove_tree, write_all
from kalelite.marshal.listing import Entry, listing_bytes, parse_listing

COPIED = 1 << 30

_State = tuple[int, int, int]


@dataclass(slots=True)
class Folders:
    """The files and folders of a store.

    Attributes
    ----------
    blobs
        The rest of the store.
    check
        Called with the size and a check of the digests; runs it now, later or never.
    bound
        Whether file modes bind this process. They do not bind root.
    """

    blobs: BlobStore
    check: Callable[[int, Callable[[], None]], None]
    bound: bool = field(default_factory=lambda: os.geteuid() != 0)
    _handed: dict[str, tuple[str, _State]] = field(default_factory=dict)
    _scratch: str = ""
    _remove: Callable[[], object] | None = None

    def _home(self, reference: str) -> str:
        return self.blobs.path(BlobName("files", reference))

    # ---- in

    def adopt(self, path: str) -> str:
        """Store a file or folder; its reference.

        Raises `UnmarshallableError`: it cannot be stored, or should not be: a whole volume, or what
        holds the store; `StoreFullError`: there is no room for it.
        """
        source = os.path.abspath(path)
        if (reference := self._own(source)) is not None:
            return reference
        _refuse_too_much(source, self.blobs.root)
        try:
            with self.blobs.temporary_folder() as temporary:
                return self._adopt(source, temporary)
        except OSError as error:
            if _within(str(error.filename or self.blobs.root), self.blobs.root):
                raise no_room(error, self.blobs.root, os.stat(source).st_size) from error
            raise UnmarshallableError(
                f"{path} cannot be read: {error}", hint="check its mode and owner"
            ) from error

    def _adopt(self, source: str, temporary: str) -> str:
        name = os.path.basename(source)
        adoption = Adoption(self.blobs.algorithm, mode=self.blobs.mode(), sync=self.blobs.durable)
        os.mkdir(f"{temporary}/content")
        adoption.adopt(source, f"{temporary}/content/{name}", name)
        listing = listing_bytes(name, adoption.entries)
        reference = self.blobs.reference_to([memoryview(listing)])
        fd = self.blobs.create(f"{temporary}/listing")
        try:
            write_all(fd, listing)
            self.blobs.seal(fd)
        finally:
            os.close(fd)
        os.chmod(f"{temporary}/content", 0o555 & self.blobs.mode())
        if self.blobs.durable:
            sync_folder(temporary)
        self._publish(temporary, reference)
        return reference

    def _publish(self, temporary: str, reference: str) -> None:
        home = self._home(reference)
        self.blobs.make_folder(os.path.dirname(home))
        while not self._stands(temporary, home, reference):
            pass  # a collection took away what stood there, or puts it back
        if self.blobs.durable:
            sync_folder(os.path.dirname(home))

    def _stands(self, temporary: str, home: str, reference: str) -> bool:
        """Give a complete folder its name, unless a good one has it already; False: try again."""
        try:
            os.rename(temporary, home)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return True
        with contextlib.suppress(FileNotFoundError, MissingObjectError):
            os.utime(home)  # it is wanted again: no collection may take it for an old one
            try:
                self.verify(reference)
            except CorruptObjectError:
                damaged = self.blobs.new_name()
                os.rename(home, damaged)
                remove_tree(damaged)
            else:
                return True
        return False

    def _own(self, source: str) -> str | None:
        """The reference of what this store handed out itself."""
        if source in self._handed:
            reference = self._handed[source][0]
            self.verify(reference)
            os.utime(self._home(reference))
            return reference
        return None

    # ---- out

    def hand_out(self, reference: str) -> Path:
        """A path to a stored file or folder, which the consumer cannot use to change it.

        Raises `MissingObjectError` or `CorruptObjectError`: it is not there, or not what was
        stored.
        """
        try:
            return self._hand_out(reference)
        except (MissingObjectError, CorruptObjectError):
            self.blobs.sleep(0.01)  # a collection may be putting it back
            return self._hand_out(reference)

    def _hand_out(self, reference: str) -> Path:
        name, entries = self._entries(reference)
        content = f"{self._home(reference)}/content"
        size = sum(entry.size for entry in entries)
        copied = self._copy(reference, name) if not self.bound and size <= COPIED else None
        if copied is not None:
            content = copied
        else:
            states = self._states(reference, entries)
            self.check(size, lambda: self.verify(reference))
            self._handed |= {f"{content}/{path}": (reference, s) for path, s in states.items()}
        self._handed.setdefault(f"{content}/{name}", (reference, (0, 0, 0)))
        return Path(f"{content}/{name}")

    def _entries(self, reference: str) -> tuple[str, list[Entry]]:
        return parse_listing(self.blobs.read(BlobName("files", reference, "/listing")))

    def _copy(self, reference: str, name: str) -> str | None:
        """A private copy; copying digests, so it is verified as well. None if there is no room."""
        try:
            if not self._scratch:
                self._scratch = self.blobs.new_folder()
                self._remove = partial(_discard, self._scratch, os.getpid())
                atexit.register(self._remove)
            folder = f"{self._scratch}/{os.urandom(8).hex()}"
            os.mkdir(folder)
        except OSError:  # full, or read-only
            return None
        copy = Adoption(split_reference(reference)[0], mode=0o777)
        source = f"{self._home(reference)}/content/{name}"
        try:
            copy.adopt(source, f"{folder}/{name}", name)
        except UnmarshallableError as error:
            raise corrupt(reference, source, str(error.message)) from error
        except FileNotFoundError as error:
            raise corrupt(reference, source, "it is incomplete") from error
        except OSError:
            remove_tree(folder)
            return None
        if listing_bytes(name, copy.entries) != bytes(
            self.blobs.read(BlobName("files", reference, "/listing"))
        ):
            raise corrupt(reference, source)
        return folder

    def _states(self, reference: str, entries: Sequence[Entry]) -> dict[str, _State]:
        """Size, time and inode of each entry; a first look whether it is what was stored."""
        content, states = f"{self._home(reference)}/content", {}
        for entry in entries:
            path = f"{content}/{entry.path}"
            try:
                state = os.lstat(path)
            except OSError as error:
                raise corrupt(reference, path, "it is not there") from error
            if not _KINDS[entry.type](state.st_mode):
                raise corrupt(reference, path, f"it is not a {entry.type}")
            if entry.type == "file":
                if state.st_size != entry.size:
                    raise corrupt(reference, path, f"it has {state.st_size:,} bytes")
                states[entry.path] = (state.st_size, state.st_mtime_ns, state.st_ino)
        return states

    def verify(self, reference: str) -> None:
        """Read everything again.

        Raises `CorruptObjectError`: something differs from what was stored.
        """
        _, entries = self._entries(reference)
        content = f"{self._home(reference)}/content"
        self._states(reference, entries)
        for entry in entries:
            path = f"{content}/{entry.path}"
            if entry.type == "link" and os.readlink(path) != entry.target:
                raise corrupt(reference, path, "the link leads elsewhere")
            if entry.type == "file":
                self._verify_file(reference, path, entry)

    def _verify_file(self, reference: str, path: str, entry: Entry) -> None:
        algorithm = split_reference(reference)[0]
        fd, size = open_regular(path, reference)
        try:
            found = reference_to(file_chunks(fd, size), algorithm)
        finally:
            os.close(fd)
        if found != f"{algorithm}-{entry.digest}":
            raise corrupt(reference, path)

    # ---- after the step

    def settle(self) -> None:
        """Whether the step left alone what it was given.

        Raises `CorruptObjectError`: it wrote to it.
        """
        for path, (reference, state) in self._handed.items():
            if state == (0, 0, 0):
                continue
            with contextlib.suppress(OSError):
                now = os.lstat(path)
                if (now.st_size, now.st_mtime_ns, now.st_ino) == state:
                    continue
            raise CorruptObjectError(
                f"this step wrote to its input {path}, which is the stored value {reference}",
                hint="copy a file or folder before you change it; run the step that made it again",
            )

    def close(self) -> None:
        """Remove private copies; paths to them are of no use afterwards."""
        if self._remove is not None:
            atexit.unregister(self._remove)
            self._remove()
            self.blobs.release(self._scratch)
        self._remove, self._scratch = None, ""


_KINDS: dict[str, Callable[[int], bool]] = {
    "file": stat.S_ISREG,
    "folder": stat.S_ISDIR,
    "link": stat.S_ISLNK,
}


def _discard(folder: str, pid: int) -> None:
    """Remove a folder if this is the process that made it, not a fork of it."""
    if os.getpid() == pid:
        with contextlib.suppress(OSError):
            remove_tree(folder)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _refuse_too_much(source: str, root: str) -> None:
    real, home = os.path.realpath(source), os.path.realpath(root)
    if any(_within(f"{home}/{TEMPORARY}", path) or _within(root, path) for path in (real, source)):
        why = "holds the marshal store itself"
    elif os.path.isdir(source) and os.path.ismount(source):
        why = "is a whole volume"
    else:
        return
    raise UnmarshallableError(
        f"{source} {why}, so it is not stored",
        hint="return str(path) to hand on only the name, or return the file or folder that you mean",
    )
