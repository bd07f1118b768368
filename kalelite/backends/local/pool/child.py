"""A forked child becomes the process of one task."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import sys
import time
import traceback
from typing import NoReturn

from kalelite.attempts import posix
from kalelite.attempts.task_process import get_ready, leave, write_crashes_to
from kalelite.backends.local.pool import worker
from kalelite.backends.local.pool.messages import DONE, Mailbox, TaskRequest, decode, encode
from kalelite.executor.import_folders import put_on_path

_BOOT = (
    # The current folder last: a module of the user's there is not Python's.
    "import sys; sys.path.append(sys.path.pop(0)); "
    "from kalelite.backends.local.pool.child import main; main()"
)


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
    write_crashes_to(log)
    os.close(log)
    env = request.env
    if env:
        os.environ.update(env)
        put_on_path(env)
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
    write_crashes_to(2)
    _run_and_leave(request, notify)


def _run_and_leave(request: TaskRequest, notify: int) -> NoReturn:
    """Run the task, say so when its record is committed, and end this process."""
    code = 1
    try:
        code = worker.work(request)
    except BaseException:  # it is in the log; the driver finds no record
        with contextlib.suppress(BaseException):
            traceback.print_exc()

    def done() -> None:
        with contextlib.suppress(OSError):
            os.write(notify, DONE.pack(request.task, posix.peak()))

    leave(code, done)


def _reseed() -> None:
    """Give this child random numbers of its own; Python's own generator sees to itself."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()
