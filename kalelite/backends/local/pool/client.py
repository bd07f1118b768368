"""The driver's side of the fork server: start it, send it requests, receive how they end."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kalelite.backends.local.pool import server_process
from kalelite.backends.local.pool.messages import (
    DONE,
    Command,
    Configure,
    Done,
    Ended,
    ImportAhead,
    Importing,
    Mailbox,
    Report,
    Signal,
    Stale,
    Started,
    TaskRequest,
    Unsafe,
    decode,
    send,
)
from kalelite.errors import KaleliteError, UsageError

_PATH = list(sys.path)
"""Where Python's own modules are found first, before a script's folder is searched, too."""
_RESTARTS = 8
_SHUTDOWN_TIMEOUT = 5.0
"""Seconds that the server has to kill its children before it is killed itself."""
_IMPORT_TIMEOUT = 120.0
"""Seconds that a module may take to be imported ahead while steps wait for it."""


def start_method(wanted: str = "auto") -> str:
    """How processes are started here: "fork", or "spawn" where fork is absent or unsafe.

    Raises `UsageError` if the method is unknown, or this system has no processes of that kind.
    """
    if wanted not in ("auto", "fork", "spawn"):
        raise UsageError(f"start={wanted!r} is unknown", hint="Write auto, fork or spawn.")
    if not hasattr(os, "fork"):
        raise UsageError(
            "this system cannot run steps in processes of their own",
            hint="Use --debug, which runs them in this process, or run under Linux or macOS.",
        )
    if wanted == "auto":
        # System libraries of macOS may not be used after a fork.
        return "spawn" if sys.platform == "darwin" else "fork"
    return wanted


class ForkServer:
    """A running fork server. It imports ``modules``, none of which may be the user's own.

    A module that cannot be shared by a fork (it starts threads), or that ends the server, is
    given up: the server is started again without it, and open requests are sent again. With
    ``fork`` it is first a fork of this process, which has only imported so far.
    """

    def __init__(
        self,
        modules: Sequence[str] = (),
        path: Sequence[str] | None = None,
        *,
        fork: bool = False,
    ) -> None:
        self.modules = list(modules)
        self._path = path
        self.notes: list[str] = []
        self._setup: Configure | None = None
        self._open: dict[int, TaskRequest] = {}
        self._lost: list[Ended] = []
        self._importing = ""
        self._restarts = 0
        self._stale = False
        self._closed = False
        self.pid = 0
        self._start(fork=fork)

    @property
    def fit(self) -> bool:
        """Whether it can take requests: it lives, it is this process's, and nothing is open."""
        ours = self._owner == os.getpid()
        return ours and not self._open and not self._closed and self._process.poll() is None

    def _start(self, *, fork: bool = False) -> None:
        commands, ours = os.pipe()
        theirs, reports = os.pipe()
        done, notify = os.pipe()
        self._errors = _nameless_file()  # as long as the server lives
        path = _strings(self._path or sys.path)
        given = {
            "boot": [*_strings(_PATH), *path],
            "path": path,
            "commands": commands,
            "reports": reports,
            "notify": notify,
            "scratch": f"{_scratch()}/kalelite-{os.urandom(8).hex()}",
        }
        kept = (commands, reports, notify)
        begin = server_process.fork if fork and server_process.may_fork() else server_process.start
        try:
            self._process = begin(given, kept, self._errors)
        finally:
            for end in kept:
                os.close(end)
        os.set_blocking(done, False)
        self._commands, self._reports, self._done = ours, theirs, done
        self._mailbox = Mailbox(self._reports)
        self.pid = self._process.pid
        self._importing = ""
        self._since = 0.0
        self._owner = os.getpid()
        if self.modules:
            self._send(ImportAhead(self.modules))

    def also_import(self, modules: Sequence[str]) -> None:
        """Have the server import more modules."""
        more = [module for module in modules if module not in self.modules]
        if more:
            self.modules += more
            self._send(ImportAhead(more))

    def configure(self, env: Mapping[str, str], umask: int) -> None:
        """Give the children the surroundings of this process: call before the first request."""
        cwd = os.getcwd()  # a str
        path, argv = _strings(sys.path), _strings(sys.argv)
        self._setup = Configure(dict(env), path, argv, cwd, umask)
        self._send(self._setup)

    def launch(self, request: TaskRequest) -> None:
        """Start a process for an attempt."""
        self._open[request.task] = request
        self._send(request)

    def kill(self, task: int, number: int) -> None:
        """Send a signal to all processes of a task."""
        self._send(Signal(task, int(number)))

    def filenos(self) -> tuple[int, int]:
        """What to wait on for `receive`. They change when the server is started again."""
        return self._reports, self._done

    def receive(self) -> Iterator[Started | Done | Ended]:
        """What has happened since the last call. Does not wait."""
        yield from self._dones()
        self._end_slow_import()
        while _readable(self._reports) and not self._mailbox.closed:
            for line in self._mailbox.receive():
                message: Report = decode(line)
                match message:
                    case Ended():
                        yield from self._dones()
                        self._open.pop(message.task, None)
                        yield message
                    case Started():
                        yield message
                    case Importing(module):
                        self._importing, self._since = module, time.monotonic()
                    case Stale():
                        self._stale = True
                    case Unsafe(reason):
                        self.notes.append(f"{reason}: steps import it themselves")
        if self._mailbox.closed:
            self._revive()
        lost, self._lost = self._lost, []
        yield from lost

    def _end_slow_import(self) -> None:
        if self._importing and self._open and time.monotonic() > self._since + _IMPORT_TIMEOUT:
            self.notes.append(f"importing {self._importing} ahead took too long: steps do it")
            self._process.kill()
            self._process.wait()
            self._since = time.monotonic()

    def _dones(self) -> Iterator[Done]:
        with contextlib.suppress(BlockingIOError):
            # A whole number of messages: each is written, and so read, in one piece.
            data = os.read(self._done, 1024 * DONE.size)
            yield from map(Done._make, DONE.iter_unpack(data))

    def _revive(self) -> None:
        """The server has gone: start it again, without the module that it was importing."""
        self._hang_up()
        last = self._last()
        self._restarts += 1
        if self._restarts > _RESTARTS:
            self._closed = True
            raise KaleliteError(
                f"the process that starts the steps ends by itself again and again: {last}",
                hint="Try again with start=spawn.",
            )
        if self._importing in self.modules:
            self.modules.remove(self._importing)
        elif not self._stale:
            # Its children have been killed with it.
            message = "the process that starts the steps was killed, and this step with it"
            self._lost += [Ended(task, error=message) for task in self._open]
            self._open.clear()
        self._stale = False
        self._start()
        if self._setup is not None:
            self._send(self._setup)
        for request in self._open.values():
            self._send(request)

    def _last(self) -> str:
        errors = os.pread(self._errors, os.fstat(self._errors).st_size, 0)
        os.close(self._errors)
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"

    def _send(self, message: Command) -> None:
        # Where the server has gone, `receive` finds out and sends the open requests again.
        with contextlib.suppress(OSError):
            send(self._commands, message)

    def _hang_up(self) -> None:
        """Let the server kill its children and end, as it does when nobody is there any more."""
        os.close(self._commands)
        until = time.monotonic() + _SHUTDOWN_TIMEOUT
        while self._process.poll() is None:
            # It and its children hold the other end of this until they are gone.
            ready, _, _ = select.select([self._done], [], [], 0.05)
            if ready and not os.read(self._done, 4096):
                break
            if time.monotonic() > until:
                self._process.kill()
        self._process.wait()
        os.close(self._reports)
        os.close(self._done)

    def close(self) -> None:
        """End the server and every process of it. Does nothing in a process forked from this."""
        if self._owner == os.getpid() and not self._closed:
            self._closed = True
            self._hang_up()
            os.close(self._errors)


def _strings(values: Iterable[object]) -> list[str]:
    """The strings of ``sys.path`` or ``sys.argv``: a script may put anything there."""
    return [value for value in values if isinstance(value, str)]


def _scratch() -> str:
    """A folder for what is gone at once."""
    folder = os.environ.get("TMPDIR", "/tmp")
    if os.access(folder, os.W_OK | os.X_OK):
        return folder
    import tempfile  # slower to import than all else here

    return tempfile.gettempdir()


def _nameless_file() -> int:
    """The descriptor of a file that is gone when it is closed."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("errors of the fork server")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _readable(channel: int) -> bool:
    ready, _, _ = select.select([channel], [], [], 0)
    return bool(ready)
