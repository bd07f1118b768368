"""Runs a plan in this process, one task after the other: breakpoints work, and errors rise."""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kalelite.authoring.backends import use_backend
from kalelite.backends.local.containers.container_function import on
from kalelite.backends.local.pool.slots import Grant
from kalelite.backends.local.result import step_error
from kalelite.backends.local.task_requests import Workshop
from kalelite.capture import CodeSource
from kalelite.engine.events import (
    Event,
    LoopStarted,
    Note,
    TaskFinished,
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
from kalelite.executor.execute import execute
from kalelite.executor.spec import Record
from kalelite.marshal import Store
from kalelite.plan.graph import Plan

__all__ = ["run_here"]

Emit = Callable[[Event], None]


class _Watched:
    """A code source whose functions keep the exception that they raise, traceback and all."""

    def __init__(self, code: CodeSource) -> None:
        self._code = code
        self.error: BaseException | None = None

    def function(self, key: str) -> Any:
        function = self._code.function(key)

        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                self.error = error
                raise

        # The executor reads the signature and the place in the source.
        call.__wrapped__ = function  # type: ignore[attr-defined]
        return call

    def constant(self, name: str) -> Any:
        return self._code.constant(name)


def run_here(
    plan: Plan, schedule: Schedule, workshop: Workshop, code: CodeSource, store: Store, emit: Emit
) -> dict[str, Record]:
    """Run a schedule here, in the order of the calls; the records by instance.

    Values pass through the store as they do between processes. Time limits, limits on memory and
    retries do not apply.

    Raises
    ------
    Exception, KeyboardInterrupt
        What a step raised, as it was raised.
    StepError
        A step's result cannot be used, or it raised what is no Exception.
    """
    tasks = {task.id: task for task in plan.tasks}
    positions = {task.id: position for position, task in enumerate(plan.tasks)}
    records: dict[str, Record] = {}
    queue: list[tuple[int, tuple[int, ...], Ready]] = []

    def take(changes: Iterable[Change]) -> None:
        for ready in _tell(changes, emit):
            instance = ready.instance
            heapq.heappush(queue, (positions[instance.task], instance.index, ready))

    take(schedule.start())
    while queue:
        ready = heapq.heappop(queue)[2]
        try:
            with _environment(tasks[ready.instance.task].options.env):
                records[ready.instance.name] = record = _run(ready, workshop, code, store, emit)
        except BaseException:
            _give_up(ready.instance, [entry[2] for entry in queue], schedule, emit)
            raise
        take(schedule.finish(ready.instance, Outcome("succeeded", record.outputs)))
    return records


def _give_up(failed: Instance, left: list[Ready], schedule: Schedule, emit: Emit) -> None:
    """Tell of all that does not run because debugging ends where a step fails."""
    left += _tell(schedule.finish(failed, Outcome("failed")), emit)
    while left:
        instance = left.pop().instance
        emit(TaskSkipped(time.time(), instance.name, "not run", f"{failed.name} failed"))
        left += _tell(schedule.finish(instance, Outcome("cancelled")), emit)


def _run(ready: Ready, workshop: Workshop, code: CodeSource, store: Store, emit: Emit) -> Record:
    """Run one instance; raises what it raises."""
    instance: Instance = ready.instance
    folder = workshop.folder(instance)
    watched = _Watched(code)
    emit(TaskStarted(time.time(), instance.name, 1))
    container = workshop.container(ready, Grant(1.0))
    around = contextlib.nullcontext() if container is None else on(container)
    with around, use_backend(None):
        record = execute(workshop.spec(ready, 1), watched, store)
    emit(TaskFinished(time.time(), record, folder / "log.txt"))
    if isinstance(watched.error, (Exception, KeyboardInterrupt)):
        raise watched.error
    if record.failure is not None:
        # Also for `sys.exit` in a step: it ends the step, not the script.
        raise step_error(instance.name, record.failure) from watched.error
    return record


def _tell(changes: Iterable[Change], emit: Emit) -> Iterator[Ready]:
    for change in changes:
        match change:
            case Ready():
                yield change
            case Skipped(name=name, status=status, reason=reason):
                emit(TaskSkipped(time.time(), name, status, reason))
            case Expanded(loop=loop, count=count):
                emit(LoopStarted(time.time(), loop, count))
            case Trouble(block=block, message=message):
                emit(Note(time.time(), f"{block}: {message}"))


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    old = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
