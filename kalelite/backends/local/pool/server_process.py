"""The process of the fork server: an interpreter of its own, or a fork of the command itself.

The command may be forked as long as it has only imported: that saves an interpreter's start, and
importing anew what both need.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kalelite.backends.local.pool.import_environment import interpreter_flags

_BOOT = (
    "import gc, json, sys; gc.disable(); sys.path[:] = json.loads(sys.argv[1])['boot']; "
    "from kalelite.backends.local.pool.server import main; main(json.loads(sys.argv[1]))"
)


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    pid: int
    returncode: Any

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self) -> int:
        """Wait for the end; the exit code."""


def start(given: Mapping[str, Any], kept: Sequence[int], errors: int) -> Process:
    """Start the server in an interpreter of its own.

    ``given`` is for its ``main``, ``kept`` are the descriptors that it inherits, and ``errors`` is
    where its standard error goes.
    """
    flags = interpreter_flags()
    import subprocess  # not needed for a fork; that has imported it, whatever stands on the path

    return subprocess.Popen(
        [sys.executable, *flags, "-c", _BOOT, json.dumps(given)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=kept,
        start_new_session=True,
    )


def may_fork() -> bool:
    """Whether a fork of this process is as good as a new one: it has one thread and no tracer."""
    try:
        threads = len(os.listdir("/proc/self/task"))
    except OSError:
        return False
    return threads == 1 and sys.gettrace() is None and sys.getprofile() is None


def fork(given: Mapping[str, Any], kept: Sequence[int], errors: int) -> Process:
    """As `start`, by a fork of this process, which has run nothing of the user's."""
    pid = os.fork()
    if pid:
        return _Forked(pid)
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd, source in enumerate((nowhere, nowhere, errors)):
            os.dup2(source, fd)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) not in kept:
                with contextlib.suppress(OSError):  # the list's own
                    os.close(int(name))
        sys.path[:] = given["boot"]
        # What multiprocessing would run again in its processes.
        sys.modules["__main__"] = types.ModuleType("__main__")
        from kalelite.backends.local.pool.server import main

        main(given)
    except BaseException:  # nothing may get back into the command
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


class _Forked:
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        self._wait(0)
        return self.returncode or 0

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, 9)

    def _wait(self, flags: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, flags)
            except ChildProcessError:  # the script has waited for all of its children
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode
