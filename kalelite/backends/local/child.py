"""A forked child becomes the process of one task."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import os
import signal
import struct
import sys
import tempfile
import time
import traceback
from typing import Any, NoReturn

from kalelite.backends.local import posix
from kalelite.backends.local.wire import Message
from kalelite.executor.failure import Terminated

__all__ = ["DONE", "become", "run", "run_and_leave"]

DONE = struct.Struct("!IQ")
"""What a child writes to the driver once its record is committed: its task, its peak in bytes."""

_BOOT = (
    # The current folder last: a module of the user's there is not Python's.
    "import sys; sys.path.append(sys.path.pop(0)); "
    "from kalelite.backends.local.child import main; main()"
)


def run(order: Message, notify: int) -> NoReturn:
    """Carry out an order in a process that was just forked, and end it."""
    try:
        become(order)
        if order.get("exec"):
            _exec(order, notify)
        run_and_leave(order, notify)
    except BaseException:  # noqa: BLE001 - nothing may get back into the server's loop
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(1)


def become(order: Message) -> None:
    """Cut loose from the parent: own session, own output, own environment."""
    posix.die_with_parent()
    os.setsid()
    posix.adopt_orphans()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    log = os.open(order["log"], flags, 0o666)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    if log > 2:
        os.close(log)
    env = order.get("env") or {}
    if env:
        os.environ.update(env)
        if "TZ" in env:
            time.tzset()


def _exec(order: Message, notify: int) -> NoReturn:
    """Go on in a fresh interpreter, for what cannot be forked."""
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps({"order": order, "path": sys.path, "argv": sys.argv}).encode())
        file.flush()
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(notify, True)
        flags = order["flags"]
        argv = [sys.executable, *flags, "-c", _BOOT, str(file.fileno()), str(notify)]
        os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted


def main() -> None:
    """The fresh interpreter's side of `_exec`."""
    fd, notify = int(sys.argv[1]), int(sys.argv[2])
    with open(fd, "rb") as file:
        given = json.load(file)
    extra = given["order"]["path"]
    sys.path[:] = [*([extra] if extra else []), *given["path"]]
    sys.argv[:] = given["argv"]
    os.set_inheritable(notify, False)
    signal.signal(signal.SIGTERM, _end)
    run_and_leave(given["order"], notify)


def run_and_leave(order: Message, notify: int) -> NoReturn:
    """Run the task, say so when its record is committed, and end this process."""
    from kalelite.backends.local import worker

    spare = os.dup(2)
    os.set_inheritable(spare, False)
    faulthandler.enable(spare, all_threads=False)
    sys.stdout = sys.__stdout__ = _text(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2)  # type: ignore[misc]
    _reseed()
    gc.enable()
    code = 1
    try:
        code = worker.work(order)
    except BaseException:  # noqa: BLE001 - told in the log; the driver finds no record
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    worker.run_exit_functions()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    posix.flush_c()
    with contextlib.suppress(OSError):
        os.write(notify, DONE.pack(order["task"], posix.peak()))
    os._exit(code)


def _text(fd: int) -> Any:
    """A text stream that shows each line at once and refuses nothing."""
    raw = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115 - closed by nobody
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
