"""Runs a plan on this machine, every task in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from kalelite.attempts import machine
from kalelite.authoring.backends import Listener
from kalelite.authoring.events import BriefReporter, RunFinished, RunStarted
from kalelite.backends.local import prepare
from kalelite.backends.local.driver import Driver
from kalelite.backends.local.earlier_runs import earlier_of
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.pool import prewarm
from kalelite.backends.local.pool.client import ForkServer, start_method
from kalelite.backends.local.pool.interrupts import Interrupts, ends_as_interrupts
from kalelite.backends.local.pool.slots import Slots
from kalelite.backends.local.recall import Recall
from kalelite.backends.local.task_requests import TaskRequestBuilder
from kalelite.backends.local.turns import Turns
from kalelite.capture.code import capture
from kalelite.engine.progress import Progress
from kalelite.engine.schedule import Schedule
from kalelite.engine.task_keys import TaskKeys
from kalelite.engine.task_specs import TaskSpecs
from kalelite.engine.task_templates import task_templates
from kalelite.executor.wind_up import flush_files
from kalelite.home_folder import home as home_of
from kalelite.marshal import Store
from kalelite.plan.graph import ContainerDef, Plan, StepDef
from kalelite.runs.recording import recording
from kalelite.runs.run_again import started_by
from kalelite.runs.run_files import RunDetails
from kalelite.runs.run_result import RunResult
from kalelite.runs.writing import RunFolder, create


def run_plan(
    plan: Plan,
    arguments: Mapping[str, Any],
    *,
    settings: LocalSettings | None = None,
    reporter: Listener | None = None,
) -> RunResult:
    """Run a checked plan to its end; ``arguments`` has a converted value for every parameter.

    There is a result also where steps have failed, or the run was interrupted: `RunResult.check`
    raises that.

    Raises `UsageError`: an option or a setting cannot be satisfied here, or no engine answers that
    could run container steps; nothing was started; `CaptureError`: a step's code cannot travel to
    its process; nothing was started.
    """
    return _Run(plan, arguments, settings or LocalSettings()).run(reporter or BriefReporter())


class _Run:
    """One run of a plan. What cannot run here is refused when this is made."""

    def __init__(self, plan: Plan, arguments: Mapping[str, Any], settings: LocalSettings) -> None:
        prepare.require_folder()
        if any(isinstance(task.step, StepDef) and task.step.is_own for task in plan.tasks):
            prepare.require_libraries(plan)
        self._plan = plan
        self._arguments = arguments
        self._settings = settings
        self._tasks = tasks = plan
        self._containers = None
        if any(isinstance(task.step, ContainerDef) for task in plan.tasks):
            # Not above, as other imports of this module: a start need not wait for what few use.
            from kalelite.backends.local.containers.container_function import as_functions
            from kalelite.backends.local.containers.container_plan import containers_of

            self._containers = containers_of(plan, settings)
            # Containers are functions, too, from here on.
            self._tasks = tasks = as_functions(plan)
        self._spawn = not settings.debug and start_method(settings.start) == "spawn"
        self._home = home_of(settings.home)
        self._store = store = Store(self._home / "store", verify=settings.verify)
        self._schedule = Schedule(plan, arguments, lambda entry: store.load(entry["ref"]))
        self._code = code = capture(tasks)
        templates = task_templates(tasks, code)
        self._specs = TaskSpecs(tasks, code, templates, self._schedule)
        self._keys = TaskKeys(tasks, code, templates, arguments, self._specs.shared())
        self._earlier, self._given = earlier_of(plan, settings, self._home, store)
        gpus = machine.gpus() if settings.gpus is None else settings.gpus
        self._slots = Slots(float(settings.jobs or machine.cores()), gpus)

    def run(self, reporter: Listener) -> RunResult:
        """Run everything, and keep the run's record."""
        plan, begun = self._plan, time.time()
        folder = create(plan, self._arguments, folder=self._home, **self._details())
        emit = recording(reporter, folder)
        progress = Progress(plan, self._schedule, emit)
        state = "failed"
        width = 1 if self._settings.debug else int(self._slots.cpu)
        resumes = self._earlier.run.id if self._earlier else ""
        emit(RunStarted(folder.id, plan, folder.folder, width, resumes, at=begun))
        try:
            requests = self._requests(folder, progress.note)
            volumes = prepare.volumes_linked(plan, self._settings.volumes)
            containers = self._containers.watched() if self._containers else nullcontext()
            with volumes, containers:
                state = self._work(progress, requests)
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            self._code.state.go_on()
            folder.finish(state)
            emit(RunFinished(folder.id, state, time.time() - begun))
        view = self._schedule.view()
        return RunResult(folder.id, state, folder.folder, progress.records, plan, view, self._store)

    def _details(self) -> RunDetails:
        """What the record of the run says of how it was started."""
        settings = self._settings
        details: RunDetails = {
            "backend": "local",
            "start": started_by(settings.words, settings.called_in),
        }
        if self._earlier is not None:
            details["resumes"] = self._earlier.run.id
        if settings.cache is False:
            details["reuse"] = False
        if settings.refresh:
            details["fresh"] = list(settings.refresh)
        if self._given is not None:
            details["given"] = sorted(self._given.tasks)
            details["given_by"] = self._given.run.id
        return details

    def _requests(self, run: RunFolder, note: Callable[[str], None]) -> TaskRequestBuilder:
        """What makes the requests; what the user should know is reported first."""
        plan, settings, tasks = self._plan, self._settings, self._tasks
        notes = prepare.notes_on(plan, self._arguments, settings, self._slots.gpus)
        for text in (*notes, *(self._containers.notes(plan) if self._containers else ())):
            note(text)
        for text in () if settings.debug else self._code.notes():
            note(text)
        packages = prepare.packages_of(plan, self._home, note) if not settings.debug else {}
        code = None
        known = Recall(run, self._store, self._keys, settings, note, self._earlier, self._given)
        if not settings.debug:
            code = self._code.installed(self._home / "code")
            run.update(code=str(code.relative_to(self._home)))
        return TaskRequestBuilder(
            {task.id: task for task in tasks.tasks},
            self._specs,
            self._store,
            run,
            self._containers,
            packages,
            known,
            code,
            self._spawn,
            Turns(tasks)
            if self._slots.cpu > 1 or any(t.options.cpu for t in tasks.tasks)
            else None,
        )

    def _work(self, progress: Progress, requests: TaskRequestBuilder) -> str:
        """Run the tasks: here for debugging, else every one in a process of its own."""
        settings = self._settings
        if settings.debug:
            from kalelite.backends.local.debug import run_here

            try:
                with ends_as_interrupts():
                    _begin(progress, requests)
                    run_here(progress, requests, self._code.live())
            finally:
                flush_files(close=False)
            return self._schedule.state
        modules = prewarm.used_by(self._plan) if settings.preload and not self._spawn else ()
        interrupts = Interrupts()
        with interrupts.caught(), _server(modules) as server:
            server.configure(os.environ, _umask())
            _begin(progress, requests)
            state = Driver(progress, server, self._slots, requests, interrupts, settings).run()
            while requests.idle():
                pass
            for text in server.notes:
                progress.note(text)
        return state


def _begin(progress: Progress, requests: TaskRequestBuilder) -> None:
    """Begin a run; one that goes on from another takes what is known, before all else."""
    progress.start()
    if requests.known.goes_on:
        from kalelite.backends.local.going_on import take_up

        take_up(progress, requests)


@contextmanager
def _server(modules: Sequence[str]) -> Iterator[ForkServer]:
    server = prewarm.take(modules)
    try:
        yield server
    except BaseException:
        server.close()
        raise
    prewarm.give_back(server)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
