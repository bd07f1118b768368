"""The attempts at a step in its pod: each in a process of its own, which this one watches.

So a step that is killed, hangs or ends its process is seen, told and tried again as in a local run,
and what it prints goes to the pod's log and to that of the record.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from kalelite.attempts import posix
from kalelite.attempts.exit_causes import Ending
from kalelite.attempts.settlement import settle
from kalelite.attempts.step_log import Log
from kalelite.attempts.task_process import get_ready, leave, write_crashes_to
from kalelite.plan.retries import Retries

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import Terms
    from kalelite.backends.kubeflow.pod.run_records import RunRecords
    from kalelite.executor.spec import Record

_GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL."""
_TICK = 0.05
_CHUNK = 1 << 16


class Attempts:
    """Tries one instance until it succeeds or nothing is left to try.

    ``work`` is called in the process of an attempt, with its number from 1; it commits the record
    and returns the exit code.
    """

    def __init__(
        self, name: str, terms: Terms, records: RunRecords, work: Callable[[int], int]
    ) -> None:
        self._name = name
        self._timeout = terms["timeout"]
        self._memory = terms["memory"]
        self._retries = Retries(**terms["retries"]) if terms["retries"] else Retries(0)
        self._records = records
        self._folder = records.folder / name
        self._work = work
        self._pid = 0
        self._stopped = ""

    def run(self) -> Record:
        """The record of the last attempt. An earlier pod may have begun: its attempts count."""
        begun = [e["attempt"] for e in self._records.events(self._name) if e["state"] == "running"]
        attempt = max(begun, default=0) + 1
        with self._terminable():
            while True:
                self._records.event(self._name, "running", attempt=attempt)
                record = self._attempt(attempt)
                failure = record.failure
                wait = None
                if failure and self._stopped != "interrupt":
                    wait = self._retries.after(attempt, failure.type, failure.bases)
                if failure is None or wait is None:
                    reason = {"reason": failure.message} if failure else {}
                    self._records.event(
                        self._name, "cached" if record.cached else record.status, **reason
                    )
                    return record
                print(
                    f"kalelite: attempt {attempt} failed: {failure.type}: {failure.message}; "
                    f"the next one in {wait:g} s",
                    file=sys.stderr,
                    flush=True,
                )
                self._records.event(
                    self._name, "retrying", attempt=attempt, reason=failure.message, wait=wait
                )
                time.sleep(wait)
                attempt += 1

    def _attempt(self, number: int) -> Record:
        begun, kills = time.time(), posix.oom_kills()
        log = Log(self._folder / "log.txt")
        log.begin(number)
        if number > 1:
            (self._folder / "record.json").unlink(missing_ok=True)
        output, given = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._stopped = ""
        self._pid = os.fork()
        if not self._pid:
            os.close(output)
            self._become(number, given)
        os.close(given)
        try:
            status, peak, forced = self._watched(output, log)
        finally:
            os.close(output)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        oom = killed and posix.oom_kills() > kills
        stopped, timeout = self._stopped, self._timeout
        ending = Ending(status, peak, oom, "", stopped, forced, timeout, self._memory)
        return settle(self._folder, self._name, number, begun, ending)

    def _become(self, number: int, output: int) -> NoReturn:
        """In the new process: the attempt."""
        code = 1
        try:
            posix.die_with_parent()
            os.setsid()
            posix.adopt_orphans()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            get_ready()
            write_crashes_to(2)
            if self._memory:
                posix.limit_memory(self._memory)
            code = self._work(number)
        except BaseException:  # it is in the log; there is no record
            with contextlib.suppress(BaseException):
                traceback.print_exc()
        leave(code)

    def _watched(self, output: int, log: Log) -> tuple[int, int, bool]:
        """Pass on what the attempt prints until it has ended; status, peak in bytes, and "forced"."""
        os.set_blocking(output, False)
        limit = time.monotonic() + self._timeout if self._timeout else float("inf")
        kill, committed, forced = float("inf"), False, False
        signs = [output]
        with log.path.open("ab") as file, _ended(self._pid) as ended:
            while os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                ready = select.select([*signs, *ended], [], [], _TICK)[0]
                if output in ready and not _pass_on(output, file):
                    signs = []  # it has closed its output
                now = time.monotonic()
                if now > limit and not self._stopped:
                    self._stop("timeout")
                if self._stopped or committed:
                    kill = min(kill, now + _GRACE)
                elif (self._folder / "record.json").exists():
                    committed = True
                if now > kill:
                    forced = not committed
                    self._signal(signal.SIGKILL)
                log.trim()
            # What it has left behind ends with it; a zombie still holds its group's id.
            self._signal(signal.SIGKILL)
            _, status, usage = os.wait4(self._pid, 0)
            self._pid = 0
            _pass_on(output, file)
        log.trim()
        return status, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), forced

    def _stop(self, why: str) -> None:
        self._stopped = why
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._pid, number)

    @contextlib.contextmanager
    def _terminable(self) -> Iterator[None]:
        """While it lasts, SIGTERM, by which a pod is ended, ends the attempt first."""

        def end(_number: int, _frame: Any) -> None:
            if not self._pid:
                raise SystemExit(143)
            self._stop("interrupt")

        before = signal.signal(signal.SIGTERM, end)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _ended(pid: int) -> Iterator[list[int]]:
    """What can be read once a process has ended; nothing where the kernel offers none."""
    try:
        end = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield []
        return
    try:
        yield [end]
    finally:
        os.close(end)


def _pass_on(output: int, log: Any) -> bool:
    """Write what has been printed to the pod's log and to the record's; False if nothing was."""
    some = False
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(output, _CHUNK):
            some = True
            log.write(chunk)
            log.flush()
            with contextlib.suppress(OSError):
                os.write(1, chunk)
    return some
