"""What Python does at its end, done when a step has returned: threads are awaited, files flushed."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import io
import os
import stat
import sys
from typing import Any


def wind_up() -> None:
    """Wait for threads, executors and timers but not for daemons, and write out open files."""
    _join_threads()
    flush_files(close=True)


def _join_threads() -> None:
    threading = sys.modules.get("threading")  # not imported for this: each fork would pay for it
    if threading is None or threading.active_count() == 1:
        return
    # The exit functions of executors, which end the threads that would wait for work for ever.
    for call in reversed(getattr(threading, "_threading_atexits", ())):
        call()
    for name in ("thread", "process"):  # what saves the values may use executors, too
        module = sys.modules.get(f"concurrent.futures.{name}")
        for flag in ("_shutdown", "_global_shutdown"):
            if hasattr(module, flag):
                setattr(module, flag, False)
    ours = (threading.main_thread(), threading.current_thread())
    while others := [t for t in threading.enumerate() if not t.daemon and t not in ours]:
        for thread in others:
            thread.join()


def _writes_files() -> bool:
    """Whether a file is open for writing that is not the output of this process."""
    own = set()
    for output in (1, 2):
        with contextlib.suppress(OSError):  # the step has closed it
            state = os.fstat(output)
            own.add((state.st_dev, state.st_ino))
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            state = os.fstat(int(name))
            writes = fcntl.fcntl(int(name), fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            if writes and stat.S_ISREG(state.st_mode) and (state.st_dev, state.st_ino) not in own:
                return True
    return False


def flush_files(*, close: bool) -> None:
    """Flush all files, and ``close`` those of other kinds (gzip, zip), which have an end to write.

    What writes into another one comes before that.
    """
    if not _writes_files():
        return
    files = [found for found in gc.get_objects() if _is_open(found)]
    files = [*files, *_archives(files)]
    while files:
        inner = {id(part) for file in files for part in _parts(file)}
        outer = [file for file in files if id(file) not in inner] or files
        for file in outer:
            with contextlib.suppress(Exception):
                if not _has_an_end(file):
                    file.flush()
                elif close:
                    file.close()
        done = set(map(id, outer))
        files = [file for file in files if id(file) not in done]


def _is_open(found: Any) -> bool:
    with contextlib.suppress(Exception):
        return issubclass(type(found), io.IOBase) and not found.closed and found.writable()
    return False


def _has_an_end(file: Any) -> bool:
    """Whether closing writes more than flushing does: not so for Python's own files."""
    home = next((cls for cls in type(file).__mro__ if "close" in vars(cls)), object)
    return home.__module__ != "_io"


def _archives(files: list[Any]) -> list[Any]:
    """What holds open files and closes itself when it is freed."""
    holders = gc.get_referrers(*files) if files else []
    spaces = [holder for holder in holders if type(holder) is dict]
    # Each look for referrers goes through all objects: one for all of them.
    holders += gc.get_referrers(*spaces) if spaces else []
    found = {
        id(holder): holder
        for holder in holders
        if hasattr(type(holder), "__del__")
        and hasattr(type(holder), "close")
        and not isinstance(holder, io.IOBase)
        and getattr(holder, "__dict__", None)
    }
    return list(found.values())


def _parts(file: Any) -> list[Any]:
    """What a file holds."""
    return [*gc.get_referents(file), *getattr(file, "__dict__", {}).values()]
