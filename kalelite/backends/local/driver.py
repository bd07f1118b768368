"""The loop of a run: start what is ready, hear what ended, keep time, obey Ctrl-C."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.pool.attempts import Attempt, memory_limit, retry_delay
from kalelite.backends.local.pool.client import Done, Ended, ForkServer, Started
from kalelite.backends.local.pool.interrupts import Interrupts
from kalelite.backends.local.pool.machine import oom_kills
from kalelite.backends.local.pool.messages import Message
from kalelite.backends.local.pool.slots import Grant, Slots
from kalelite.backends.local.pool.step_log import Log
from kalelite.engine.events import (
    Event,
    LoopStarted,
    Note,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.engine.schedule import Schedule
from kalelite.engine.transitions import (
    Change,
    Expanded,
    Instance,
    Outcome,
    Ready,
    Skipped,
    Trouble,
)
from kalelite.executor.spec import Record
from kalelite.plan.graph import Plan, Task

__all__ = ["Driver", "Orders"]

_TICK = 0.25
"""Seconds between looks at the sizes of logs."""


class Orders(Protocol):
    """Says what the process of a task is to do, and where it leaves what."""

    def folder(self, instance: Instance) -> Path:
        """The folder for the record and the log of an instance."""

    def order(self, ready: Ready, attempt: int, grant: Grant) -> Message:
        """What to do, without the number of the task."""

    def recall(self, ready: Ready) -> Record | None:
        """The result of an earlier run that stands for this one, already written down."""

    def remember(self, record: Record) -> None:
        """Keep a result for later runs, if that is wanted."""


class Driver:
    """Runs a schedule to its end."""

    def __init__(
        self,
        plan: Plan,
        schedule: Schedule,
        server: ForkServer,
        slots: Slots,
        orders: Orders,
        settings: LocalSettings,
        emit: Callable[[Event], None],
        interrupts: Interrupts,
    ) -> None:
        self._schedule = schedule
        self._server = server
        self._slots = slots
        self._orders = orders
        self._settings = settings
        self._emit = emit
        self._interrupts = interrupts
        self._tasks: dict[str, Task] = {task.id: task for task in plan.tasks}
        self._positions = {task.id: position for position, task in enumerate(plan.tasks)}
        self._queue: list[tuple[int, tuple[int, ...], int, Ready, int]] = []
        self._running: dict[int, Attempt] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: dict[int, Ready] = {}
        self._numbers = itertools.count(1)
        self._heard = 0
        self._trimmed = 0.0
        self._oom_kills = oom_kills()
        self.records: dict[str, Record] = {}

    def run(self) -> str:
        """Run everything; "succeeded", "failed" or "interrupted"."""
        self._take(self._schedule.start())
        while not self._schedule.done or self._running:
            self._start_ready()
            if self._schedule.done and not self._running:
                break
            self._wait()
            for event in self._server.receive():
                self._on_process(event)
            self._on_time()
            if self._interrupts.count > self._heard:
                self._on_interrupt()
                if self._heard > 1:
                    return "interrupted"
        return self._schedule.state

    def _take(self, changes: Iterable[Change]) -> None:
        """Act on what the schedule has decided."""
        for change in changes:
            match change:
                case Ready():
                    self._enqueue(change, 1)
                case Skipped(name=name, status=status, reason=reason):
                    self._emit(TaskSkipped(time.time(), name, status, reason))
                case Expanded(loop=loop, count=count):
                    self._emit(LoopStarted(time.time(), loop, count))
                case Trouble(block=block, message=message):
                    self._emit(Note(time.time(), f"{block}: {message}"))

    def _enqueue(self, ready: Ready, attempt: int) -> None:
        instance = ready.instance
        position = self._positions[instance.task]
        entry = (position, instance.index, next(self._numbers), ready, attempt)
        heapq.heappush(self._queue, entry)

    def _start_ready(self) -> None:
        """Give processes to what is ready, in the order of the calls, while there are places.

        A step that waits for a GPU lets others pass; one that waits for processors does not, or
        a large one might wait for ever.
        """
        passed = []
        while self._queue:
            entry = heapq.heappop(self._queue)
            record = self._orders.recall(entry[3])
            if record is not None:
                self._finish(entry[3], record, self._orders.folder(entry[3].instance) / "log.txt")
                continue
            options = self._tasks[entry[3].instance.task].options
            grant = self._slots.take(options)
            if grant is not None:
                self._launch(entry[3], entry[4], grant)
                continue
            passed.append(entry)
            if not options.gpu:
                break
        for entry in passed:
            heapq.heappush(self._queue, entry)

    def _launch(self, ready: Ready, count: int, grant: Grant) -> None:
        number = next(self._numbers)
        options = self._tasks[ready.instance.task].options
        folder = self._orders.folder(ready.instance)
        log = Log(folder / "log.txt", self._settings.log_limit)
        record = folder / "record.json"
        attempt = Attempt(number, ready, count, options, grant, log, record, time.time())
        order = self._orders.order(ready, count, grant)
        log.begin(count)
        if count > 1:
            record.unlink(missing_ok=True)
        self._running[number] = attempt
        self._emit(TaskStarted(attempt.begun, attempt.name, count))
        order |= {"task": number, "log": str(log.path), "memory": memory_limit(options)}
        if options.timeout is not None:
            order["timed"] = True
        self._server.launch(order)

    def _wait(self) -> None:
        timeout = _TICK if self._running else None
        if self._timers:
            until = max(0.0, self._timers[0][0] - time.monotonic())
            timeout = until if timeout is None else min(timeout, until)
        assert timeout is not None, "nothing runs, and nothing can start"
        ends = [*self._server.filenos(), self._interrupts.fileno()]
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
            self._after(attempt.options.timeout or 0, lambda: self._stop(attempt, "timeout"))
            return
        if isinstance(event, Done):
            # Its record is committed, so others need not wait until the process has gone.
            if not attempt.settled:
                self._settle(attempt, None, event.peak)
            self._after(self._settings.grace, lambda: self._kill(attempt))
            return
        del self._running[event.task]
        attempt.log.trim()
        if not attempt.settled:
            self._settle(attempt, event, event.peak)

    def _settle(self, attempt: Attempt, ended: Ended | None, peak: int) -> None:
        """The outcome of an attempt is known: retry it, or tell the schedule."""
        attempt.settled = True
        self._slots.give(attempt.grant)
        record = attempt.outcome(ended, oom=ended is not None and self._ran_out(ended))
        failure = record.failure
        if failure is not None and not self._heard:
            delay = retry_delay(attempt.options, attempt.count, failure)
            if delay is not None:
                self._retry(attempt, record, delay)
                return
        self._orders.remember(record)
        cancelled = attempt.stopped == "interrupt"
        self._finish(attempt.ready, record, attempt.log.path, peak, cancelled=cancelled)

    def _finish(
        self, ready: Ready, record: Record, log: Path, peak: int = 0, *, cancelled: bool = False
    ) -> None:
        """A task has ended for good."""
        self.records[record.task] = record
        self._emit(TaskFinished(time.time(), record, log, peak))
        state, message = "succeeded", ""
        if record.failure is not None:
            state = "cancelled" if cancelled else "failed"
            message = record.failure.message
        self._take(self._schedule.finish(ready.instance, Outcome(state, record.outputs, message)))

    def _ran_out(self, ended: Ended) -> bool:
        """Whether the kernel has killed something for want of memory since this was last asked."""
        if not (os.WIFSIGNALED(ended.status) and os.WTERMSIG(ended.status) == signal.SIGKILL):
            return False
        before, self._oom_kills = self._oom_kills, oom_kills()
        return self._oom_kills > before

    def _retry(self, attempt: Attempt, record: Record, delay: float) -> None:
        failure = record.failure
        assert failure is not None
        self._emit(
            TaskRetried(time.time(), attempt.name, attempt.count, failure, delay, attempt.log.path)
        )
        self._waiting[attempt.number] = attempt.ready

        def again() -> None:
            if self._waiting.pop(attempt.number, None) is not None:
                self._enqueue(attempt.ready, attempt.count + 1)

        self._after(delay, again)

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

        self._after(self._settings.grace, force)

    def _kill(self, attempt: Attempt) -> None:
        if attempt.number in self._running:
            self._server.kill(attempt.number, signal.SIGKILL)

    def _on_interrupt(self) -> None:
        """First time: start nothing more and end what runs. Second time: kill everything."""
        self._interrupts.clear()
        first = not self._heard
        self._heard = self._interrupts.count
        if not first or self._heard > 1:
            self._heard = max(self._heard, 2)
            self._server.abandon()
            for attempt in self._running.values():
                if not attempt.settled:
                    attempt.stopped = "interrupt"
                    self._settle(attempt, None, 0)
            return
        seconds = self._settings.grace
        text = f"Stopping: running steps have {seconds:g} s to end. Interrupt again to kill them."
        self._emit(Note(time.time(), text))
        self._take(self._schedule.interrupt())
        for attempt in list(self._running.values()):
            self._stop(attempt, "interrupt")
        left = [*self._waiting.values(), *(entry[3] for entry in self._queue)]
        self._waiting.clear()
        self._queue.clear()
        for ready in left:
            name = ready.instance.name
            self._emit(TaskSkipped(time.time(), name, "not run", "the run was interrupted"))
            self._take(self._schedule.finish(ready.instance, Outcome("cancelled")))
