"""The loop of a run: start what is ready, take in what ended, keep time, obey Ctrl-C."""

from __future__ import annotations

import heapq
import itertools
import select
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kalelite.backends.local.pool.client import ForkServer
from kalelite.backends.local.pool.interrupts import Interrupts, stop_grace
from kalelite.backends.local.pool.local_attempt import Attempt
from kalelite.backends.local.pool.messages import Done, Ended, Started
from kalelite.backends.local.pool.slots import Grant, Slots
from kalelite.backends.local.task_requests import TaskRequestBuilder
from kalelite.engine.progress import Progress
from kalelite.engine.transitions import Ready

if TYPE_CHECKING:
    from kalelite.backends.local.local_settings import LocalSettings

_TICK = 0.25
"""Seconds between looks at the sizes of logs."""


def _look_again() -> None:
    """Nothing: what is ready is looked at each time."""


class Driver:
    """Runs a plan to its end, every task in a process of its own."""

    def __init__(
        self,
        progress: Progress,
        server: ForkServer,
        slots: Slots,
        requests: TaskRequestBuilder,
        interrupts: Interrupts,
        settings: LocalSettings,
    ) -> None:
        self._progress = progress
        self._server = server
        self._slots = slots
        self._requests = requests
        self._interrupts = interrupts
        self._grace = settings.grace
        self._stop_grace = stop_grace(settings.grace)
        self._log_limit = settings.log_limit
        self._running: dict[int, Attempt] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._between: dict[int, Ready] = {}
        """What waits for its next attempt, by the number of the last one."""
        self._numbers = itertools.count(1)
        self._interrupted = 0
        self._trimmed = 0.0

    def run(self) -> str:
        """Run everything that is left; "succeeded", "failed" or "interrupted"."""
        while not self._progress.schedule.done or self._running:
            self._start_ready()
            if self._progress.schedule.done and not self._running:
                break
            self._wait()
            for event in self._server.receive():
                self._on_process(event)
            self._on_time()
            if self._interrupts.count > self._interrupted:
                self._on_interrupt()
                if self._interrupted > 1:
                    return "interrupted"
        return self._progress.schedule.state

    def _start_ready(self) -> None:
        """Give processes to what is ready, in the order of the calls, while there are places.

        A step that waits for a GPU lets others pass; one that waits for processors does not, or
        a large one might wait for ever.
        """
        passed = []
        while (entry := self._progress.take()) is not None:
            ready, attempt = entry
            record = self._requests.recall(ready)
            if record is not None:
                self._progress.finish(ready, record, self._requests.log(ready))
                continue
            if self._requests.waits(ready):
                passed.append(entry)
                self._after(_TICK, _look_again)
                continue
            options = self._progress.options(ready)
            grant = self._slots.take(options)
            if grant is not None:
                self._launch(ready, attempt, grant)
                continue
            passed.append(entry)
            if not options.gpu:
                break
        for ready, attempt in passed:
            self._progress.enqueue(ready, attempt)

    def _launch(self, ready: Ready, count: int, grant: Grant) -> None:
        number = next(self._numbers)
        folder = self._requests.folder(ready.instance)
        request = self._requests.request(ready, count, number, grant.gpus)
        timeout = self._progress.options(ready).timeout
        attempt = Attempt(number, ready, count, folder, grant, timeout, request.memory)
        attempt.begin(self._log_limit)
        self._running[number] = attempt
        self._progress.started(ready, count)
        self._server.launch(request)

    def _wait(self) -> None:
        timeout = _TICK if self._running else None
        if self._timers:
            until = max(0.0, self._timers[0][0] - time.monotonic())
            timeout = until if timeout is None else min(timeout, until)
        assert timeout is not None, "nothing runs, and nothing can start"
        ends = [*self._server.filenos(), self._interrupts.fileno()]
        # At least one each time, so that a run of short steps gets there as well.
        while self._requests.idle() and not select.select(ends, [], [], 0)[0]:
            pass
        select.select(ends, [], [], timeout)
        if time.monotonic() > self._trimmed + _TICK:
            self._trimmed = time.monotonic()
            for attempt in self._running.values():
                attempt.log.trim()

    def _on_process(self, event: Started | Done | Ended) -> None:
        attempt = self._running.get(event.task)
        if attempt is None:
            return
        if isinstance(event, Started):
            self._after(attempt.timeout or 0, lambda: self._stop(attempt, "timeout"))
            return
        if isinstance(event, Done):
            # Its record is committed, so others need not wait until the process has gone.
            if not attempt.settled:
                self._settle(attempt, None, event.peak)
            self._after(self._grace, lambda: self._kill(attempt))
            return
        del self._running[event.task]
        attempt.log.trim()
        if not attempt.settled:
            self._settle(attempt, event, event.peak)

    def _settle(self, attempt: Attempt, ended: Ended | None, peak: int) -> None:
        """The outcome of an attempt is known: retry it, or let the run go on."""
        attempt.settled = True
        self._slots.give(attempt.grant)
        ready, log = attempt.ready, attempt.log.path
        record = attempt.outcome(ended)
        if not self._interrupted:
            delay = self._progress.retry(ready, record, log)
            if delay is not None:
                self._between[attempt.number] = ready
                self._after(delay, lambda: self._again(attempt))
                return
        self._requests.remember(record)
        cancelled = attempt.stopped == "interrupt"
        self._progress.finish(ready, record, log, peak, cancelled=cancelled)

    def _again(self, attempt: Attempt) -> None:
        if self._between.pop(attempt.number, None) is not None:
            self._progress.enqueue(attempt.ready, attempt.count + 1)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), act))

    def _on_time(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _stop(self, attempt: Attempt, why: str) -> None:
        """End an attempt: SIGTERM first, SIGKILL after the grace."""
        if attempt.settled or attempt.number not in self._running or attempt.stopped:
            return
        attempt.stopped = why
        self._server.kill(attempt.number, signal.SIGTERM)

        def force() -> None:
            attempt.forced = not attempt.settled
            self._kill(attempt)

        self._after(self._stop_grace if why == "interrupt" else self._grace, force)

    def _kill(self, attempt: Attempt) -> None:
        if attempt.number in self._running:
            self._server.kill(attempt.number, signal.SIGKILL)

    def _on_interrupt(self) -> None:
        """First time: start nothing more and end what runs. Second time: kill everything."""
        self._interrupts.clear()
        self._interrupted = self._interrupts.count
        if self._interrupted > 1:
            self._server.close()
            for attempt in self._running.values():
                if not attempt.settled:
                    attempt.stopped = "interrupt"
                    self._settle(attempt, None, 0)
            return
        self._progress.note(
            f"Stopping: running steps have {self._stop_grace:g} s to end. Interrupt again to kill them."
        )
        waiting = list(self._between.values())
        self._between.clear()
        self._progress.interrupt("the run was interrupted", waiting)
        for attempt in list(self._running.values()):
            self._stop(attempt, "interrupt")
