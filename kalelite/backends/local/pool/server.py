"""The fork server: a small process that imports modules by name and forks one child a task.

It never runs user code: a process that has run threads of OpenMP or torch forks children that
hang. It has one thread, so that a fork is always safe. The driver talks to it over pipes; when
they close, the driver is gone and every child is killed.

Each child is forked before it has a request, which it then reads from a pipe. A fork takes as long
as a small step, so while a processor is free one child waits with nothing of any task in it.

What the server does for a task it does right after a fork, where each page of memory that is
written to has to be copied first. So its loop keeps to descriptors and few calls.

`kalelite.backends.local.pool.server_process` starts it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kalelite.attempts import machine, posix
from kalelite.backends.local.pool import child, worker
from kalelite.backends.local.pool.import_environment import own_path, stale
from kalelite.backends.local.pool.messages import (
    Command,
    Configure,
    Ended,
    ImportAhead,
    Importing,
    Mailbox,
    Signal,
    Stale,
    Started,
    TaskRequest,
    Unsafe,
    decode,
    send,
    write,
)
from kalelite.backends.local.pool.preload import import_quietly, ready_to_fork
from kalelite.marshal import formats_status


class Server:
    """Forks children on request, and reports how they ended."""

    def __init__(self, commands: int, reports: int, notify: int) -> None:
        self._commands = commands
        self._reports = reports
        self._notify = notify
        self._mailbox = Mailbox(commands)
        self._tasks: dict[int, int] = {}
        self._spares: dict[int, int] = {}
        self._room = 0
        self._oom_kills = 0
        self._env = dict(os.environ)
        self._imported = False
        self._wakeup, self._writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(self._writer, False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(commands, select.POLLIN)
        self._poll.register(self._wakeup, select.POLLIN)

    def serve(self) -> None:
        """Work until the driver hangs up."""
        try:
            while not self._mailbox.closed:
                for end, _ in self._poll.poll():
                    if end == self._wakeup:
                        os.read(end, 4096)
                        self._reap()
                    else:
                        for line in self._mailbox.receive():
                            self._handle(decode(line), line)
                if not self._spares and len(self._tasks) < self._room:
                    with contextlib.suppress(OSError):  # the next request will find out
                        self._add_spare()
        finally:
            self._kill_all()

    def _handle(self, message: Command, line: bytes) -> None:
        match message:
            case TaskRequest():
                self._start(message, line)
            case Signal(task, number):
                self._signal(task, number)
            case ImportAhead(modules):
                self._dismiss_spares()
                self._import(modules)
            case Configure():
                self._dismiss_spares()
                self._configure(message)

    def _import(self, modules: list[str]) -> None:
        """Import modules; hang up where one leaves this process unfit to be forked."""
        for module in modules:
            send(self._reports, Importing(module))
            reason = import_quietly(module)
            if reason:
                send(self._reports, Unsafe(reason))
                os._exit(0)
        # Import also what knows how to store the values of these modules.
        formats_status()
        gc.collect()
        ready_to_fork()
        self._imported = True
        send(self._reports, Importing())

    def _configure(self, setup: Configure) -> None:
        """Be to the children what the driver would be."""
        if self._imported and stale(self._env, os.environ, setup.env):
            send(self._reports, Stale())
            os._exit(0)
        os.environ.clear()
        os.environ.update(setup.env)
        sys.path[:] = setup.path
        sys.argv[:] = setup.argv
        os.umask(setup.umask)
        with contextlib.suppress(OSError):
            os.chdir(setup.cwd)
        self._room = machine.cores()
        self._oom_kills = posix.oom_kills()

    def _start(self, request: TaskRequest, line: bytes) -> None:
        task = request.task
        if request.flags is None:
            # Here, so that each child has it already. What is wrong with it, the child reports.
            with contextlib.suppress(Exception), own_path():
                worker.make_ready(request)
        try:
            pid = self._give(line)
        except OSError as error:
            send(self._reports, Ended(task, error=str(error)))
            return
        self._tasks[pid] = task
        if request.timed:
            send(self._reports, Started(task))

    def _give(self, line: bytes) -> int:
        """Give a request to a process that waits for one; its pid."""
        while True:
            if not self._spares:
                self._add_spare()
            pid, end = self._spares.popitem()
            try:
                write(end, line)
            except BrokenPipeError:  # it has died
                continue
            finally:
                os.close(end)
            return pid

    def _add_spare(self) -> None:
        """Fork a process that waits for a request. Raises `OSError` if none can be had."""
        taken, given = os.pipe()
        here = os.getpid()
        try:
            pid = os.fork()
            if not pid:
                self._leave(given)
                child.run(taken, self._notify)
        except BaseException:
            if os.getpid() != here:
                os._exit(1)
            os.close(given)
            raise
        finally:
            os.close(taken)
        self._spares[pid] = given

    def _dismiss_spares(self) -> None:
        """Let those that wait go: they would find things as they were."""
        for end in self._spares.values():
            os.close(end)
        self._spares.clear()

    def _leave(self, given: int) -> None:
        """In a new child: let go of all that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ours = (self._commands, self._reports, self._wakeup, self._writer, given)
        for end in (*ours, *self._spares.values()):
            os.close(end)

    def _reap(self) -> None:
        """Take in the children that have ended, and end what they left behind."""
        lost = False
        while (ended := _next_ended()) is not None:
            task = self._tasks.get(ended)
            if ended in self._spares:
                os.close(self._spares.pop(ended))
            if task is not None:
                # The zombie still holds its group's id, so this cannot hit anybody else's.
                with contextlib.suppress(OSError):
                    os.killpg(ended, signal.SIGKILL)
            _, status, usage = os.wait4(ended, 0)
            if task is not None:
                del self._tasks[ended]
                peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                with contextlib.suppress(OSError):
                    send(self._reports, Ended(task, status, peak, self._ran_out(status)))
            lost = True
        if lost:
            self._kill_orphans()

    def _ran_out(self, status: int) -> bool:
        """Whether a killed process may be one of those that the kernel killed for memory."""
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return False
        before, self._oom_kills = self._oom_kills, posix.oom_kills()
        return self._oom_kills > before

    def _kill_orphans(self) -> None:
        """End what tasks that are over have left in sessions of their own."""
        for pid in posix.children() - self._tasks.keys() - self._spares.keys():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _signal(self, task: int, number: int) -> None:
        for pid, other in self._tasks.items():
            if other == task:
                try:
                    os.killpg(pid, number)
                except OSError:
                    # It has not made its group yet.
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)

    def _kill_all(self) -> None:
        self._dismiss_spares()
        for task in list(self._tasks.values()):
            self._signal(task, signal.SIGKILL)
        # Each one that ends may leave others to this process.
        with contextlib.suppress(ChildProcessError):
            while True:
                self._tasks.pop(os.waitpid(-1, 0)[0], None)
                self._kill_orphans()


def _next_ended() -> int | None:
    """A child that has ended and was not taken in yet."""
    with contextlib.suppress(ChildProcessError):
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return result.si_pid if result is not None else None
    return None


def _nothing(number: int, frame: Any) -> None:
    """Only there so that the signal wakes the selector."""


def main(given: Mapping[str, Any]) -> NoReturn:
    """Serve the driver that has started this process, with what it has given."""
    ends = given["commands"], given["reports"], given["notify"]
    for end in ends:
        os.set_inheritable(end, False)
    posix.adopt_orphans()
    # Threads of compiled libraries count for this warning; `preload` has judged them.
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
    worker.rehearse(Path(given["scratch"]))
    sys.path[:] = given["path"]
    ready_to_fork()
    # It stays disabled: a collection would touch, and so copy, each page that the children share.
    Server(*ends).serve()
    os._exit(0)
