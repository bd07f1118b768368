"""Runs a plan on this machine, every task in a process of its own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kalelite.backends.local import limits, prepare, warm
from kalelite.backends.local.client import start_method
from kalelite.backends.local.debug import run_here
from kalelite.backends.local.driver import Driver
from kalelite.backends.local.events import (
    Event,
    Note,
    PlainReporter,
    Reporter,
    RunFinished,
    RunStarted,
)
from kalelite.backends.local.folder import RunFolder, find_home
from kalelite.backends.local.orders import Workshop, install_code
from kalelite.backends.local.result import RunResult
from kalelite.backends.local.scene import Place
from kalelite.backends.local.schedule import Schedule
from kalelite.backends.local.settings import LocalSettings
from kalelite.backends.local.signals import Interrupts
from kalelite.backends.local.slots import Slots
from kalelite.capture import capture
from kalelite.executor.spec import Record
from kalelite.marshal import Store
from kalelite.plan.graph import Plan

if TYPE_CHECKING:
    from kalelite.plan.pipeline import Pipeline

__all__ = ["LocalTarget", "run_plan"]


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
        An option, or a setting, cannot be satisfied here; nothing was started.
    CaptureError
        A step's code cannot travel to its process; nothing was started.
    """
    settings = settings or LocalSettings()
    emit = _shielded(reporter or PlainReporter())
    prepare.refuse(plan)
    spawn = not settings.debug and start_method(settings.start) == "spawn"
    home = find_home(settings.home)
    store = Store(home / "store", verify=settings.verify)
    schedule = Schedule(plan, arguments, lambda entry, path: store.load(entry["ref"], path))
    code = capture(plan)
    folder = RunFolder(home, plan, arguments)
    slots = _slots(settings)
    state, records = "failed", {}
    emit(RunStarted(folder.started, folder.id, plan, folder.path, _width(settings, slots)))

    def note(text: str) -> None:
        emit(Note(time.time(), text))

    try:
        for text in prepare.notes_on(plan, settings, slots.gpus):
            note(text)
        packages = prepare.packages_of(plan, home, note)
        workshop = Workshop(plan, code, schedule, store, folder.tasks, packages)
        with prepare.volumes_linked(plan, settings.volumes):
            if settings.debug:
                records = run_here(plan, schedule, workshop, code.live(), store, emit)
                state = schedule.state
            else:
                workshop.use(install_code(code, home / "code"), spawn=spawn)
                modules = warm.used_by(plan) if settings.preload and not spawn else ()
                state, records = _in_processes(
                    plan, schedule, slots, workshop, settings, emit, modules
                )
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        folder.write(state)
        emit(RunFinished(time.time(), folder.id, state, time.time() - folder.started))
    place = Place(schedule.results, (), ())
    return RunResult(folder.id, state, folder.path, records, plan, place, store)


def _in_processes(
    plan: Plan,
    schedule: Schedule,
    slots: Slots,
    workshop: Workshop,
    settings: LocalSettings,
    emit: Callable[[Event], None],
    modules: Sequence[str],
) -> tuple[str, dict[str, Record]]:
    """Run every task in a process of its own."""
    interrupts = Interrupts()
    with interrupts.caught(), contextlib.closing(warm.take(modules)) as server:
        server.configure(os.environ, _umask())
        driver = Driver(plan, schedule, server, slots, workshop, settings, emit, interrupts)
        state = driver.run()
        for text in server.notes:
            emit(Note(time.time(), text))
    return state, driver.records


def _slots(settings: LocalSettings) -> Slots:
    gpus = limits.gpus() if settings.gpus is None else settings.gpus
    return Slots(float(settings.jobs or limits.cores()), gpus)


def _width(settings: LocalSettings, slots: Slots) -> int:
    return 1 if settings.debug else int(slots.cpu)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _shielded(reporter: Reporter) -> Callable[[Event], None]:
    """Tell a reporter; one that fails, because its terminal has gone, is told no more."""
    broken = False

    def emit(event: Event) -> None:
        nonlocal broken
        if broken:
            return
        try:
            reporter.emit(event)
        except Exception:  # noqa: BLE001 - whoever shows the run must not end it
            broken = True

    return emit


class LocalTarget:
    """Runs pipelines that are called here; a `kalelite.plan.target.Target`."""

    def __init__(
        self, settings: LocalSettings | None = None, reporter: Reporter | None = None
    ) -> None:
        self._settings = settings
        self._reporter = reporter

    def run(self, pipeline: Pipeline[..., Any], plan: Plan, arguments: Mapping[str, Any]) -> Any:
        """Run the plan; what the pipeline function returned.

        Raises
        ------
        StepError
            A step failed.
        KeyboardInterrupt
            The run was interrupted.
        """
        del pipeline
        result = run_plan(plan, arguments, settings=self._settings, reporter=self._reporter)
        result.check()
        return result.value
