"""Clones of folders on this machine: to run a script in one, and to keep a state.

A file shares its blocks with the original where the filesystem can do that (reflink: btrfs, xfs),
else it is copied with its holes. Objects of git, which nobody writes to in place, are hard links;
other files never are, for who opens one for writing would write to the original. Virtual
environments hold their own path, so a link stands for them. Sockets, FIFOs, devices and what may
not be read are left out, and so are `.kalelite` folders.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from kalelite.errors import UsageError
from kalelite.file_copy import Reflinks, copy_content
from kalelite.frozen import frozen
from kalelite.humanize import size as readable

_BATCH = 64
_KINDS = {"p": "a FIFO", "s": "a socket", "c": "a device", "b": "a device"}

FileState = tuple[int, int, int, int]
"""Size, times of the last change of content and of the inode, and number of a file's inode."""


@frozen
class Cloned:
    """What a clone holds; ``left_out`` says of each thing that it lacks why, in a phrase."""

    files: int
    size: int
    left_out: tuple[str, ...]


def clone_folder(
    source: str, target: str, *, leave_out: Collection[str] = (), known_as: str = ""
) -> Cloned:
    """Clone a folder to a path where nothing is; ``leave_out`` are absolute paths in it.

    A link into the folder leads into the clone, one that leads out of it to where it led.
    ``known_as`` is the path that the clone will be renamed to.

    Raises `UsageError`: there is no room for it; `OSError`: the target cannot be written, or the
    source not be read. The target is incomplete then.
    """
    place = os.path.abspath(target)
    walk = _Walk(os.path.realpath(source), place, frozenset(leave_out), known_as or place)
    os.makedirs(os.path.dirname(walk.target), exist_ok=True)
    os.mkdir(walk.target, 0o700)
    walk.scan()
    _Copying(walk).run()
    size = sum(state.st_size for _, state in walk.files)
    return Cloned(len(walk.files) + len(walk.same), size, tuple(walk.left_out))


@dataclass(slots=True)
class _Walk:
    """What is in a folder, by paths in it; folders come before what they hold."""

    source: str
    target: str
    leave_out: frozenset[str]
    known_as: str
    folders: list[tuple[str, os.stat_result]] = field(default_factory=list)
    files: list[tuple[str, os.stat_result]] = field(default_factory=list)
    same: list[tuple[str, str]] = field(default_factory=list)  # another name of a file
    links: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def scan(self) -> None:
        """Look at everything."""
        first: dict[tuple[int, int], str] = {}
        pending = [""]
        self.folders.append(("", os.stat(self.source)))
        while pending:
            inside = pending.pop()
            for entry in self._entries(inside):
                path = f"{inside}{entry.name}"
                with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
                    state = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(state.st_mode):
                        if self._is_own(entry):
                            self.folders.append((path, state))
                            pending.append(f"{path}/")
                    elif stat.S_ISLNK(state.st_mode):
                        if entry.name != ".kalelite":
                            self.links.append((path, self._led(entry.path)))
                    elif not stat.S_ISREG(state.st_mode):
                        kind = _KINDS.get(stat.filemode(state.st_mode)[0], "no file")
                        self.left_out.append(f"{path} is {kind}")
                    elif state.st_nlink > 1 and not _is_git_object(path):
                        known = first.setdefault((state.st_dev, state.st_ino), path)
                        if known == path:
                            self.files.append((path, state))
                        else:
                            self.same.append((path, known))
                    else:
                        self.files.append((path, state))

    def _entries(self, inside: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self.source}/{inside}") as entries:
                return list(entries)
        except (PermissionError, FileNotFoundError) as error:
            if not inside:
                raise
            self.left_out.append(f"{inside} cannot be read ({error.strerror})")
            return []

    def _is_own(self, entry: os.DirEntry[str]) -> bool:
        """Whether the clone gets a folder's content; a link stands for a virtual environment."""
        if entry.name == ".kalelite" or entry.path in self.leave_out:
            return False
        if any(os.path.lexists(f"{entry.path}/{name}") for name in ("pyvenv.cfg", "conda-meta")):
            self.links.append((os.path.relpath(entry.path, self.source), entry.path))
            return False
        return True

    def _led(self, link: str) -> str:
        """What the link is in the clone: one into the folder leads into the clone."""
        led = os.readlink(link)
        place = os.path.normpath(os.path.join(os.path.dirname(link), led))
        is_inside = f"{place}/".startswith(f"{self.source}/")
        if not os.path.isabs(led):
            return led if is_inside else place
        return self.known_as + place[len(self.source) :] if is_inside else led


@dataclass(slots=True)
class _Copying:
    """Makes in the target what a walk has found."""

    walk: _Walk
    reflinks: Reflinks = field(default_factory=Reflinks)

    def run(self) -> None:
        """Make everything; the folders get their modes and times last."""
        walk, target = self.walk, self.walk.target
        for path, _ in walk.folders[1:]:
            os.mkdir(f"{target}/{path}", 0o700)
        # Large ones first: while one of them is copied the others get the small ones.
        files = sorted(walk.files, key=lambda file: -file[1].st_size)
        if files:
            self._file(files[0])
            self._require_room(files)
        batches = [files[start : start + _BATCH] for start in range(1, len(files), _BATCH)]
        with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
            try:
                for _ in pool.map(self._batch, batches):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for path, first in walk.same:
            with contextlib.suppress(FileNotFoundError):  # it could not be read
                os.link(f"{target}/{first}", f"{target}/{path}")
        for path, led in walk.links:
            os.symlink(led, f"{target}/{path}")
        for path, state in reversed(walk.folders):
            _like(f"{walk.source}/{path}", f"{target}/{path}", state)

    def _require_room(self, files: list[tuple[str, os.stat_result]]) -> None:
        if self.reflinks.possible:
            return
        needed = sum(state.st_blocks * 512 for _, state in files[1:])
        room = os.statvfs(self.walk.target)
        free = room.f_bavail * room.f_frsize
        if needed > free:
            raise UsageError(
                f"there is no room for a clone of {self.walk.source}:"
                f" it takes {readable(needed)}, and {readable(free)} are free",
                hint="Free space, or keep the clone elsewhere: --home names the folder.",
            )

    def _batch(self, files: list[tuple[str, os.stat_result]]) -> None:
        for file in files:
            self._file(file)

    def _file(self, file: tuple[str, os.stat_result]) -> None:
        path, state = file
        source, target = f"{self.walk.source}/{path}", f"{self.walk.target}/{path}"
        if _is_git_object(path):
            with contextlib.suppress(OSError):
                os.link(source, target, follow_symlinks=False)
                return
        try:
            fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return  # it has gone meanwhile
        except PermissionError as error:
            self.walk.left_out.append(f"{path} cannot be read ({error.strerror})")
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            out = os.open(target, flags, 0o600)
            try:
                if state.st_size and not self.reflinks.clone(fd, out):
                    copy_content(fd, out, state.st_size)
                _like(fd, out, state)
            finally:
                os.close(out)
        finally:
            os.close(fd)


def _like(source: str | int, target: str | int, state: os.stat_result) -> None:
    """Give owner, attributes, mode and times of the original, as far as this user may."""
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):  # the filesystem knows none
            for name in os.listxattr(source):
                if name.startswith("user."):
                    os.setxattr(target, name, os.getxattr(source, name))
    if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(target, state.st_uid, state.st_gid)
    os.chmod(target, stat.S_IMODE(state.st_mode))
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))


def _is_git_object(path: str) -> bool:
    return "/.git/objects/" in f"/{path}"


def states_of(folder: str) -> dict[str, FileState]:
    """How each file and link in a folder looks now, by its path in it."""
    states: dict[str, FileState] = {}
    pending = [""]
    while pending:
        inside = pending.pop()
        with os.scandir(f"{folder}/{inside}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{inside}{entry.name}/")
                    continue
                now = entry.stat(follow_symlinks=False)
                state = now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino
                states[f"{inside}{entry.name}"] = state
    return states


def keep_changed(folder: str, before: Mapping[str, FileState]) -> tuple[list[str], list[str]]:
    """Remove what looks as it did before, and empty folders.

    The paths of the files that are left, and of those that had gone before.
    """
    left, now = [], states_of(folder)
    for path, state in now.items():
        if before.get(path) == state:
            os.unlink(f"{folder}/{path}")
        else:
            left.append(path)
    for place, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):  # it is not empty
            os.rmdir(place)
    return sorted(left), sorted(before.keys() - now.keys())


def remove_folder(folder: str) -> None:
    """Remove a folder, also one whose folders may not be written."""
    with contextlib.suppress(OSError):
        for place, _, _ in os.walk(folder):
            os.chmod(place, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
