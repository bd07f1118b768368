"""Runs a plan on this machine, every task in a process of its own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kalelite.backends.local import prepare
from kalelite.backends.local.cache import Cache
from kalelite.backends.local.containers.container_function import as_functions
from kalelite.backends.local.containers.container_plan import containers_of
from kalelite.backends.local.debug import run_here
from kalelite.backends.local.driver import Driver
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.pool import machine as limits
from kalelite.backends.local.pool import prewarm as warm
from kalelite.backends.local.pool.client import ForkServer, start_method
from kalelite.backends.local.pool.interrupts import Interrupts, ends_as_interrupts
from kalelite.backends.local.pool.slots import Slots
from kalelite.backends.local.result import RunResult
from kalelite.backends.local.task_requests import Workshop, install_code
from kalelite.capture import capture
from kalelite.engine.events import (
    Event,
    Note,
    PlainReporter,
    Reporter,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.engine.results import Place
from kalelite.engine.schedule import Schedule
from kalelite.engine.task_templates import task_templates
from kalelite.executor.spec import Record
from kalelite.marshal import Store
from kalelite.plan.graph import Plan
from kalelite.runs import RunFolder, create
from kalelite.runs import home as home_of

__all__ = ["run_plan"]


def run_plan(
    plan: Plan,
    arguments: Mapping[str, Any],
    *,
    settings: LocalSettings | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Run a checked plan to its end.

    Parameters
    ----------
    plan
        The plan.
    arguments
        A converted value for every pipeline parameter.
    settings
        How to run it.
    reporter
        Who is told what happens.

    Returns
    -------
    RunResult
        Also where steps have failed, or the run was interrupted: `RunResult.check` raises that.

    Raises
    ------
    UsageError
        An option or a setting cannot be satisfied here, or no engine answers that could run
        container steps; nothing was started.
    CaptureError
        A step's code cannot travel to its process; nothing was started.
    """
    return _Run(plan, arguments, settings or LocalSettings()).run(reporter or PlainReporter())


class _Run:
    """One run of a plan. What cannot run here is refused when this is made."""

    def __init__(self, plan: Plan, arguments: Mapping[str, Any], settings: LocalSettings) -> None:
        prepare.require_folder()
        self._plan = plan
        self._arguments = arguments
        self._settings = settings
        self._containers = containers_of(plan, settings)
        # Containers are functions, too, from here on.
        self._tasks = as_functions(plan)
        self._spawn = not settings.debug and start_method(settings.start) == "spawn"
        self._home = home_of(settings.home)
        self._store = store = Store(self._home / "store", verify=settings.verify)
        self._schedule = Schedule(
            plan, arguments, lambda entry, path: store.load(entry["ref"], path)
        )
        self._code = capture(self._tasks)
        self._templates = task_templates(self._tasks, self._code)
        self._slots = _slots(settings)

    def run(self, reporter: Reporter) -> RunResult:
        """Run everything, and keep the run's record."""
        plan, begun = self._plan, time.time()
        folder = create(plan, self._arguments, folder=self._home, backend="local")
        emit = _telling(reporter, folder)
        state: str = "failed"
        records: dict[str, Record] = {}
        width = _width(self._settings, self._slots)
        emit(RunStarted(begun, folder.id, plan, folder.folder, width))
        try:
            workshop = self._workshop(folder, lambda text: emit(Note(time.time(), text)))
            volumes = prepare.volumes_linked(plan, self._settings.volumes)
            with volumes, self._containers.watched():
                state, records = self._work(folder, workshop, emit)
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            folder.finish(state)
            emit(RunFinished(time.time(), folder.id, state, time.time() - begun))
        place = Place(self._schedule.results, (), ())
        return RunResult(folder.id, state, folder.folder, records, plan, place, self._store)

    def _workshop(self, folder: RunFolder, note: Callable[[str], None]) -> Workshop:
        """Who makes the orders; what the user should know is told first."""
        plan, settings = self._plan, self._settings
        notes = prepare.notes_on(plan, settings, self._slots.gpus)
        for text in (*notes, *self._containers.notes(plan)):
            note(text)
        packages = prepare.packages_of(plan, self._home, note)
        tasks, code, store = self._tasks, self._code, self._store
        cache = None
        if not settings.debug and any(task.options.cache for task in plan.tasks):
            cache = Cache(self._home / "cache", tasks, code, store, self._arguments, note)
        return Workshop(
            tasks,
            code,
            self._templates,
            self._schedule,
            store,
            folder,
            packages,
            cache,
            self._containers,
            settings.cache,
        )

    def _work(
        self, folder: RunFolder, workshop: Workshop, emit: Callable[[Event], None]
    ) -> tuple[str, dict[str, Record]]:
        """Run the tasks: here for debugging, else every one in a process of its own."""
        plan, schedule, settings = self._plan, self._schedule, self._settings
        if settings.debug:
            with ends_as_interrupts():
                records = run_here(plan, schedule, workshop, self._code.live(), self._store, emit)
            return schedule.state, records
        installed = install_code(self._code, self._home / "code")
        folder.update(code=str(installed.relative_to(self._home)))
        workshop.use(installed, spawn=self._spawn)
        modules = warm.used_by(plan) if settings.preload and not self._spawn else ()
        interrupts = Interrupts()
        with interrupts.caught(), _server(modules) as server:
            server.configure(os.environ, _umask())
            driver = Driver(
                plan, schedule, server, self._slots, workshop, settings, emit, interrupts
            )
            state = driver.run()
            for text in server.notes:
                emit(Note(time.time(), text))
        return state, driver.records


@contextlib.contextmanager
def _server(modules: Sequence[str]) -> Iterator[ForkServer]:
    server = warm.take(modules)
    try:
        yield server
    except BaseException:
        server.close()
        raise
    warm.give_back(server)


def _slots(settings: LocalSettings) -> Slots:
    gpus = limits.gpus() if settings.gpus is None else settings.gpus
    return Slots(float(settings.jobs or limits.cores()), gpus)


def _width(settings: LocalSettings, slots: Slots) -> int:
    return 1 if settings.debug else int(slots.cpu)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _telling(reporter: Reporter, folder: RunFolder) -> Callable[[Event], None]:
    """Write events into the run's record, and tell a reporter.

    A reporter that fails, because its terminal has gone, is told no more.
    """
    broken = False

    def emit(event: Event) -> None:
        nonlocal broken
        _note(event, folder)
        if broken:
            return
        try:
            reporter.emit(event)
        except Exception:  # noqa: BLE001 - whoever shows the run must not end it
            broken = True

    return emit


def _note(event: Event, folder: RunFolder) -> None:
    match event:
        case TaskStarted(task=task, attempt=attempt):
            folder.event(task, "running", attempt=attempt)
        case TaskRetried(task=task, attempt=attempt, failure=failure, wait=wait):
            folder.event(task, "retrying", attempt=attempt, reason=failure.message, wait=wait)
        case TaskSkipped(task=task, status=status, reason=reason):
            folder.event(task, status, reason=reason)
        case TaskFinished(record=record) if record.cached:
            folder.event(record.task, "cached", reason=f"as in run {record.cached}")
        case TaskFinished(record=record, peak=peak):
            folder.event(record.task, record.status, peak=peak)
