"""Files and folders that the store keeps: one folder each, with a listing and the content.

    files/ab/<reference>/listing
    files/ab/<reference>/content/<name>     what consumers get a path to

What consumers get is a copy of their own, up to `COPIED` bytes. Above, it is the stored one, which
is read-only (folders 0555, files 0444); a step that writes to it all the same, because no mode binds
it, fails with the name before it commits.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path

from kalelite.atomic import sync_folder
from kalelite.errors import CorruptObjectError, MissingObjectError, UnmarshallableError
from kalelite.frozen import frozen, mutable
from kalelite.marshal.adopt import Adoption
from kalelite.marshal.blobs import TEMPORARY, BlobName, BlobStore
from kalelite.marshal.digest import file_chunks, reference_to, split_reference
from kalelite.marshal.disk import corrupt, no_room, open_regular, remove_tree, write_all
from kalelite.marshal.listing import Entry, listing_bytes, parse_listing

COPIED = 1 << 30

_State = tuple[int, int, int, int, int]


def place_of(path: str) -> str:
    """Where a file or folder stands: absolute, through no link but perhaps its own name."""
    folder, name = os.path.split(path)
    if name in {"", ".", ".."}:
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(folder), name)


@frozen
class _Handed:
    """What was handed out: where, as a copy or the stored one, and how it looked then."""

    reference: str
    top: str
    private: bool
    states: dict[str, _State]

    def changed(self) -> str:
        """A path that is not as it was; empty if there is none."""
        now = _look(self.top, changes=self.private)
        paths = self.states.keys() | now.keys()
        return next((p for p in paths if self.states.get(p) != now.get(p)), "")


@mutable
class Folders:
    """The files and folders of a store.

    Attributes
    ----------
    blobs
        The rest of the store.
    check
        Called with the size and a check of the digests; runs it now, later or never.
    """

    blobs: BlobStore
    check: Callable[[int, Callable[[], None]], None]
    _handed: dict[str, _Handed] = field(default_factory=dict)
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
        source = place_of(path)
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
        adoption = Adoption(
            self.blobs.algorithm, mode=self.blobs.mode() & 0o555, sync=self.blobs.durable
        )
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
        """The reference of what this store handed out itself, if it is as it was then."""
        handed = self._handed.get(source)
        if handed is None or (handed.private and handed.changed()):
            return None
        self.verify(handed.reference)
        os.utime(self._home(handed.reference))
        return handed.reference

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
        copied = self._copy(reference, name) if size <= COPIED else None
        top = f"{copied or content}/{name}"
        if copied is not None:
            states = _look(top, changes=True)
        else:
            states = self._states(reference, entries)
            self.check(size, lambda: self.verify(reference))
        self._handed[place_of(top)] = _Handed(reference, top, copied is not None, states)
        return Path(top)

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
        copy = Adoption(split_reference(reference)[0], mode=0o755)
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
        """How each entry looks now; a first look whether it is what was stored."""
        content = f"{self._home(reference)}/content"
        states = _look(f"{content}/{entries[0].path.partition('/')[0]}")
        for entry in entries:
            path = f"{content}/{entry.path}"
            mode, size, *_ = states.get(path, (0, 0))
            if not mode:
                raise corrupt(reference, path, "it is not there")
            if not _KINDS[entry.type](mode):
                raise corrupt(reference, path, f"it is not a {entry.type}")
            if entry.type == "file" and size != entry.size:
                raise corrupt(reference, path, f"it has {size:,} bytes")
        if len(states) > len(entries):
            added = states.keys() - {f"{content}/{entry.path}" for entry in entries}
            raise corrupt(reference, min(added), "it was added")
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
        for handed in self._handed.values():
            if handed.private or not (path := handed.changed()):
                continue
            raise CorruptObjectError(
                f"this step wrote to its input {path}, which is the stored value {handed.reference}",
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


def _look(top: str, *, changes: bool = False) -> dict[str, _State]:
    """How a file or folder and all in it look: mode, size, times and inode by path.

    With ``changes`` the time at which the inode changed counts, too.
    """
    states: dict[str, _State] = {}
    folders = []

    def note(path: str, now: os.stat_result) -> None:
        at = now.st_ctime_ns if changes else 0
        states[path] = (now.st_mode, now.st_size, now.st_mtime_ns, now.st_ino, at)
        if stat.S_ISDIR(now.st_mode):
            folders.append(path)

    with contextlib.suppress(FileNotFoundError):
        note(top, os.lstat(top))
    while folders:
        with os.scandir(folders.pop()) as inside:
            for entry in inside:
                note(entry.path, entry.stat(follow_symlinks=False))
    return states


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
