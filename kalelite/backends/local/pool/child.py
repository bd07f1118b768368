"""A forked child becomes the process of one task."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

from kalelite.backends.local.pool import posix, worker
from kalelite.backends.local.pool.messages import DONE, Mailbox, TaskRequest, decode, encode
from kalelite.executor.failure import Terminated

_BOOT = (
    # The current folder last: a module of the user's there is not Python's.
    "import sys; sys.path.append(sys.path.pop(0)); "
    "from kalelite.backends.local.pool.child import main; main()"
)

_crashes = os.open(os.devnull, os.O_WRONLY)
"""Where the fault handler writes: a descriptor that no step knows, and so none closes."""


def get_ready() -> None:
    """Give this process what each task's needs and inherits: handlers of signals, and streams.

    Done once, by the process that is forked, because to do it costs more than a fork does. It is
    done again when that has imported something, which may have put its own in their place.
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(_crashes, all_threads=False)
    sys.stdout = sys.__stdout__ = _text(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2)  # type: ignore[misc]


def _detach() -> None:
    """Cut a process that was just forked loose from its parent: own session, own seeds."""
    posix.die_with_parent()
    os.setsid()
    posix.adopt_orphans()
    _reseed()
    gc.enable()


def _awaited(channel: int) -> TaskRequest:
    """The request that comes, at some time. Nobody needs this process if none does."""
    mailbox = Mailbox(channel)
    while not mailbox.closed:
        for line in mailbox.receive():
            os.close(channel)
            request: TaskRequest = decode(line)
            return request
    os._exit(0)


def _become(request: TaskRequest) -> None:
    """Take what is the task's own: its output, its environment."""
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(log, _crashes, False)
    os.close(log)
    env = request.env
    if env:
        os.environ.update(env)
        if "TZ" in env:
            time.tzset()


def run(given: int, notify: int) -> NoReturn:
    """Carry out the request that comes from a descriptor, in a process that was just forked.

    ``notify`` is where to report that the task's record is committed.
    """
    try:
        _detach()
        request = _awaited(given)
        _become(request)
        if request.flags is not None:
            _exec(request, request.flags, notify)
        _run_and_leave(request, notify)
    except BaseException:  # nothing may get back into the server's loop
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(1)


def _exec(request: TaskRequest, flags: list[str], notify: int) -> NoReturn:
    """Go on in a fresh interpreter, for what cannot be forked."""
    # A file without a name: nothing is imported where the user's modules may come first.
    name = f"{request.log}.{os.getpid()}"
    file = io.open(name, "w+b")  # the interpreter closes it
    os.unlink(name)
    file.write(json.dumps([sys.path, sys.argv]).encode() + b"\n" + encode(request))
    file.seek(0)
    os.set_inheritable(file.fileno(), True)
    os.set_inheritable(notify, True)
    argv = [sys.executable, *flags, "-c", _BOOT, str(file.fileno()), str(notify)]
    os.execv(sys.executable, argv)  # no shell is wanted


def main() -> None:
    """The fresh interpreter's side of `_exec`."""
    fd, notify = int(sys.argv[1]), int(sys.argv[2])
    with open(fd, "rb") as file:
        path, sys.argv[:] = json.loads(file.readline())
        request = decode(file.read())
    sys.path[:] = [request.path, *path] if request.path else path
    os.set_inheritable(notify, False)
    get_ready()
    os.dup2(2, _crashes, False)
    _run_and_leave(request, notify)


def _run_and_leave(request: TaskRequest, notify: int) -> NoReturn:
    """Run the task, say so when its record is committed, and end this process."""
    code = 1
    try:
        code = worker.work(request)
    except BaseException:  # it is in the log; the driver finds no record
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    worker.run_exit_functions()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    posix.flush_c()
    with contextlib.suppress(OSError):
        os.write(notify, DONE.pack(request.task, posix.peak()))
    os._exit(code)


def _text(fd: int) -> Any:
    """A text stream that shows each line at once and refuses nothing."""
    raw = open(fd, "wb", buffering=0, closefd=False)  # closed by nobody
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def _reseed() -> None:
    """Give this child random numbers of its own; Python's own generator sees to itself."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()


def _end(number: int, _: Any) -> None:
    """SIGTERM: leave as sys.exit would, so that ``finally`` and ``with`` do their work."""
    raise Terminated(128 + number)
