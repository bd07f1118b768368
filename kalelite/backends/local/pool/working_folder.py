"""The working folder of a task that may run beside others: a view of the folder of the run.

What the view shows are links into that folder. What the step writes by a relative path is its own:
a link that the path leads through is replaced by a folder of links or a copy first. At the end what
is its own is moved to where the run was started. Of two tasks that wrote one file, the later in the
order of the plan has the last word, whoever ends first. What is only appended to is shared.

Native code that opens a file by itself makes new ones in the view, and writes to old ones where
they are.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import functools
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# As they are before a task watches them.
_open, _open_file, _mkdir, _rmdir, _unlink, _replace = (
    os.open,
    io.open,
    os.mkdir,
    os.rmdir,
    os.unlink,
    os.replace,
)
_TICK = 20_000_000
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class WorkingFolder:
    """A view of the current folder, entered when this is made.

    A task that has written nothing leaves its view to the next one: to make one takes as long as a
    small step.

    Parameters
    ----------
    folder
        Where the views of a run are.
    turn
        The task's place in the order of the plan.
    """

    def __init__(self, folder: str, turn: Sequence[int]) -> None:
        self._start = os.getcwd()
        self._turn = list(turn)
        self._linked: dict[str, list[str]] = {}
        self._views = folder
        self._view = self._free() or self._new()
        now, view = os.stat(self._start).st_mtime_ns, os.stat(self._view).st_mtime_ns
        if view != now:
            _clear(self._view)
            self._fill("")
            # A change within the same tick of the clock would not show.
            now = now if now < time.time_ns() - _TICK else 0
            os.utime(self._view, ns=(0, now))
        self._linked[""] = os.listdir(self._view)
        self._mark = now
        os.chdir(self._view)
        self._view = os.getcwd()  # without symbolic links
        _views.append(self)
        for module, name, function in _WATCHED:
            setattr(module, name, function)

    def _free(self) -> str:
        """A view that nobody is in, now locked until this process ends; empty if there is none."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._views) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and _lock(entry.path):
                    return entry.path
        return ""

    def _new(self) -> str:
        os.makedirs(self._views, exist_ok=True)
        view = f"{self._views}/{os.getpid()}-{os.urandom(4).hex()}"
        _mkdir(view)
        return view if _lock(view) else self._new()

    # ---- while the step runs

    def _fill(self, inside: str) -> None:
        """Link what is in a folder; ``inside`` is its path with a slash, or empty."""
        names = self._linked[inside] = os.listdir(f"{self._start}/{inside}")
        for name in names:
            os.symlink(f"{self._start}/{inside}{name}", f"{self._view}/{inside}{name}")

    def _is_link(self, inside: str) -> bool:
        try:
            return os.readlink(f"{self._view}/{inside}") == f"{self._start}/{inside}"
        except OSError:
            return False

    def own(
        self, path: Any, *, append: bool = False, alone: bool = False, whole: bool = False
    ) -> None:
        """Make a path the task's own before it is written to.

        With ``append`` a file stays, or becomes, one of the folder of the run. With ``alone`` only
        the folder that it is in is made the task's own, with ``whole`` also all that is in it.
        """
        if isinstance(path, int):
            return
        place = os.path.abspath(os.fsdecode(path))
        if not place.startswith(f"{self._view}/"):
            return
        inside = place[len(self._view) + 1 :]
        parts = inside.split("/")
        for depth in range(1, len(parts)):
            self._own_folder("/".join(parts[:depth]))
        if append:
            self._share(inside)
        elif self._is_link(inside) and not alone:
            if os.path.isdir(place):
                self._own_folder(inside)
            elif os.path.exists(place):
                copy = f"{place}.{os.urandom(4).hex()}"
                shutil.copy2(place, copy)
                _replace(copy, place)
        if whole and os.path.isdir(place) and not os.path.islink(place):
            for name in os.listdir(place):
                self.own(f"{place}/{name}", whole=True)

    def _own_folder(self, inside: str) -> None:
        place = f"{self._view}/{inside}"
        if self._is_link(inside) and os.path.isdir(place):
            _unlink(place)
            _mkdir(place)
            self._fill(f"{inside}/")

    def _share(self, inside: str) -> None:
        place, there = f"{self._view}/{inside}", f"{self._start}/{inside}"
        if not os.path.lexists(place) and os.path.isdir(os.path.dirname(there)):
            os.close(_open(there, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
            os.symlink(there, place)

    # ---- at the end

    def keep(self) -> None:
        """Move what is the task's own to where the run was started; the view then is that folder.

        Raises
        ------
        OSError
            There is no room for it, or it may not be written.
        """
        os.chdir(self._start)
        if os.stat(self._view).st_mtime_ns == self._mark:
            return
        changes = list(self._changes(""))
        with _turns(f"{self._views}/turns.json") as turns:
            for inside, gone in changes:
                # A folder is shared by all that write into it.
                if gone or not inside.endswith("/"):
                    if turns.get(inside, []) > self._turn:
                        continue
                    turns[inside] = self._turn
                self._change(inside, gone)
        _clear(self._view)
        _rmdir(self._view)
        os.symlink(self._start, self._view)

    def _changes(self, inside: str) -> Iterator[tuple[str, bool]]:
        """Paths that are the task's own, folders with a slash, and whether they are gone."""
        gone = set(self._linked.get(inside, ()))
        with os.scandir(f"{self._view}/{inside}") as entries:
            for entry in entries:
                path = f"{inside}{entry.name}"
                gone.discard(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    yield f"{path}/", False
                    yield from self._changes(f"{path}/")
                elif not (entry.is_symlink() and self._is_link(path)):
                    yield path, False
        yield from ((f"{inside}{name}", True) for name in sorted(gone))

    def _change(self, inside: str, gone: bool) -> None:
        source, target = f"{self._view}/{inside}", f"{self._start}/{inside.rstrip('/')}"
        folder = inside.endswith("/")
        if gone or folder != os.path.isdir(target):
            _remove(target)
        if folder:
            if not os.path.isdir(target):
                _mkdir(target)
                shutil.copymode(source, target)
        elif not gone:
            _move(source, target)


def _lock(folder: str) -> bool:
    """Lock a folder for as long as this process lives; False if another has."""
    fd = _open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return False
    return True


@contextlib.contextmanager
def _turns(path: str) -> Iterator[dict[str, list[int]]]:
    """For each file that a task has moved, the turn of the last one; locked meanwhile."""
    with _open_file(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        turns: dict[str, list[int]] = json.loads(file.read() or "{}")
        yield turns
        file.truncate(0)
        file.write(json.dumps(turns))


def _move(source: str, target: str) -> None:
    """Give a file its place whole, also on another filesystem."""
    try:
        _replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = f"{target}.{os.urandom(4).hex()}"
        shutil.copy2(source, part, follow_symlinks=False)
        _replace(part, target)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        _unlink(path)


def _clear(folder: str) -> None:
    """Empty a folder of links; what they lead to stays."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _clear(entry.path)
                _rmdir(entry.path)
            else:
                _unlink(entry.path)


# ---- Python's own functions that write; made once, as each task would pay for it

_views: list[WorkingFolder] = []
"""The one that this process is in."""


@functools.wraps(_open_file)
def _watched_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    if isinstance(mode, str) and not {"w", "a", "x", "+"}.isdisjoint(mode):
        _views[-1].own(file, append="a" in mode)
    return _open_file(file, mode, *args, **kwargs)


@functools.wraps(_open)
def _watched_os_open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
    if flags & _WRITES and kwargs.get("dir_fd") is None:
        _views[-1].own(path, append=bool(flags & os.O_APPEND))
    return _open(path, flags, *args, **kwargs)


def _watched(
    name: str, *, own: bool, second: bool = False, module: Any = os
) -> tuple[Any, str, Callable[..., Any]]:
    """A function that has the first path owned before it runs, and the second one's folder."""
    call: Callable[..., Any] = getattr(module, name)

    @functools.wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        paths = [*args[: 1 + second], *(kwargs[k] for k in ("path", "src", "dst") if k in kwargs)]
        if not any(key.endswith("dir_fd") and kwargs[key] is not None for key in kwargs):
            for position, path in enumerate(paths):
                if position == 0 and second and not own:
                    continue  # what a link leads to
                alone = not own or position > 0
                _views[-1].own(path, alone=alone, whole=second and not alone)
        return call(*args, **kwargs)

    for supports in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if call in supports:
            supports.add(wrapped)
    return module, name, wrapped


_WATCHED = (
    (builtins, "open", _watched_open),
    (io, "open", _watched_open),
    (os, "open", _watched_os_open),
    *(_watched(name, own=False) for name in ("mkdir", "rmdir", "remove", "unlink")),
    *(_watched(name, own=True) for name in ("truncate", "chmod", "utime")),
    _watched("rmtree", own=True, module=shutil),
    *(_watched(name, own=True, second=True) for name in ("rename", "replace")),
    *(_watched(name, own=False, second=True) for name in ("symlink", "link")),
)
