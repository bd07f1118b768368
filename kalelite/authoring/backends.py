"""Where a pipeline goes when it is run or compiled: a backend.

A backend is a package with a factory, and a line in `BACKENDS`. Everything else that knows
backends (pipelines, the command line, the conformance suite) knows them by this module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from kalelite.authoring import plain_script
from kalelite.errors import UsageError
from kalelite.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from kalelite.authoring.events import Event
    from kalelite.errors import Problem
    from kalelite.plan.cron import Cron
    from kalelite.plan.graph import Parameter, Plan

BACKENDS: Final[Mapping[str, str]] = {
    "local": "kalelite.backends.local.local_backend:local_backend",
    "kubeflow": "kalelite.backends.kubeflow.kubeflow_backend:KubeflowBackend",
}
"""The factory of each backend, as ``module:attribute``; it takes the backend's settings by name."""


DISPLAY: Final = "kalelite.cli.plain_display:plain_display"
"""What makes a listener for a run that no command stands around."""


class Result(Protocol):
    """The end of a run."""

    @property
    def state(self) -> str:
        """One of succeeded, failed and interrupted."""

    @property
    def value(self) -> Any:
        """What the pipeline function returned, loaded when it is asked for."""

    def check(self) -> None:
        """Raise what a step raised, `StepError` or `KeyboardInterrupt` if the run did not succeed."""


class Submission(Protocol):
    """A run that was started elsewhere, and goes on whether or not anybody follows it."""

    @property
    def id(self) -> str:
        """Its id, as ``kalelite runs`` lists it."""

    @property
    def url(self) -> str:
        """Where a person sees it."""

    @property
    def state(self) -> str:
        """One of running, succeeded, failed and cancelled."""

    def wait(self, listener: Listener | None = None) -> Submission:
        """Follow it to its end; raises `StepError` if it does not succeed."""

    def value(self, name: str) -> Any:
        """An output of a step: ``"train.model"``, or ``"train"`` if it has one."""

    def logs(self, step: str) -> str:
        """What a step has printed so far."""

    def refresh(self, step: str | None = None) -> str:
        """Read the logs of a step, or of all, into the record here; the state of the run."""

    def fetch(self, names: Sequence[str] = ()) -> Any:
        """Bring its records, and outputs by their names, from where they are; the run as recorded."""

    def cancel(self) -> None:
        """Ask for its end."""


@frozen
class Section:
    """A part of a report: a title, and rows of one number of cells."""

    title: str
    rows: tuple[tuple[str, ...], ...]


class Listener(Protocol):
    """Receives the events of a run. An error that ``emit`` raises never stops the run."""

    def emit(self, event: Event) -> None:
        """Something happened."""


@frozen
class Recurring:
    """A pipeline that is run by a schedule, and the next times; none if it is disabled."""

    id: str
    name: str
    cron: str
    enabled: bool
    times: tuple[datetime, ...]
    url: str


class Schedules(Protocol):
    """The recurring runs of a backend."""

    def start(
        self, plan: Plan, arguments: Mapping[str, Any], cron: Cron, *, fresh: bool = False
    ) -> Recurring:
        """Run a checked plan by a schedule; ``fresh``: on the volumes as they are for each run."""

    def all(self) -> Sequence[Recurring]:
        """Those that kalelite has made, newest first."""

    def enable(self, id: str) -> None:
        """Let one start runs again."""

    def disable(self, id: str) -> None:
        """Let one start no runs."""

    def delete(self, id: str) -> None:
        """Remove one, and what was made for it; raises `UsageError` if a run of it goes on."""


class Backend(Protocol):
    """Runs or compiles plans. Backends inherit from it and override what they can do."""

    name: str

    def check(self, plan: Plan) -> Sequence[Problem]:
        """What this backend has against a plan that is right by itself."""
        del plan
        return ()

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> Result:
        """Run a checked plan to its end; ``arguments`` has a converted value for every parameter.

        Raises
        ------
        UsageError, PipelineError, CaptureError
            The plan cannot run here; nothing was started.
        """
        del plan, arguments, listener
        raise UsageError(f"the backend {self.name!r} does not run pipelines")

    def submit(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> Submission:
        """Start a run of a checked plan elsewhere, and do not wait for it; raises as `run`."""
        del plan, arguments, listener
        raise UsageError(f"the backend {self.name!r} runs pipelines here: nothing to submit to")

    def greet(self) -> str:
        """The service that runs pipelines: its version and address; `ClusterError` if it is away."""
        raise UsageError(f"the backend {self.name!r} needs no service")

    def attach(self, run: str) -> Submission:
        """A run that was submitted before, by its id; raises `UsageError` if there is none."""
        raise UsageError(f"the backend {self.name!r} has submitted no run {run!r}")

    def schedules(self) -> Schedules:
        """Its recurring runs."""
        raise UsageError(f"the backend {self.name!r} has no schedules", hint="It goes with --kfp.")

    def compile(self, plan: Plan, path: str | Path, arguments: Mapping[str, Any]) -> Sequence[str]:
        """Write a checked plan to a file; ``arguments`` become the defaults of its parameters.

        Returns
        -------
        Sequence[str]
            What the user should know about the file.
        """
        del plan, path, arguments
        raise UsageError(f"the backend {self.name!r} does not compile pipelines")

    def dry_run(self, plan: Plan, arguments: Mapping[str, Any]) -> Sequence[Section]:
        """What a run would create, after every check. Nothing is touched."""
        del plan, arguments
        raise UsageError(f"the backend {self.name!r} has no dry run")

    def resuming(self, run: str) -> Backend:
        """The same backend, which goes on with a run: an id, the beginning of one, or "last".

        What is finished there and unchanged is taken.
        """
        del run
        raise UsageError(f"the backend {self.name!r} does not go on with runs")

    def prepare(self, source: str, path: Sequence[str]) -> None:
        """Get ready for a script that is about to be run: import what a run needs.

        When the script has begun, modules beside it may hide others of the same name.

        ``source`` is its text, ``path`` the ``sys.path`` that it will have.
        """
        del source, path

    def fixed(self, parameters: Sequence[Parameter]) -> Mapping[str, Any]:
        """Converted values for some of the parameters, which go before those of the call."""
        del parameters
        return {}


def open_backend(name: str, **settings: Any) -> Backend:
    """The backend of that name.

    Raises
    ------
    UsageError
        There is no such backend, or it does not take a setting.
    """
    if name not in BACKENDS:
        raise UsageError(f"there is no backend {name!r}", hint=f"There are {', '.join(BACKENDS)}.")
    factory: Callable[..., Backend] = _registered(BACKENDS[name])
    try:
        return factory(**settings)
    except TypeError as error:
        for each in settings:
            if f"unexpected keyword argument {each!r}" in str(error):
                raise UsageError(f"{each!r} is not a setting of the backend {name!r}") from error
        raise


def _registered(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


_Ambient = tuple[Backend | None]
_current: ContextVar[_Ambient | None] = ContextVar("kalelite_backend", default=None)
_everywhere: list[_Ambient] = []
"""Backends for threads that have none of their own; the last one counts."""


def ambient_backend() -> Backend | None:
    """The backend that was set for this context, else the local one.

    None inside a step: there a pipeline is a plain function.
    """
    found = _current.get() or next(reversed(_everywhere), None)
    if found is not None:
        return found[0]
    plain_script.prepare()
    return open_backend("local")


def ambient_listener() -> Listener | None:
    """What shows the runs of this context; None where that is up to the backend that was set."""
    if _current.get() is not None or _everywhere:
        return None
    factory: Callable[[], Listener] = _registered(DISPLAY)
    return factory()


@contextmanager
def use_backend(backend: Backend | None, *, everywhere: bool = False) -> Iterator[None]:
    """Let pipelines that are called inside the ``with`` go to this backend.

    With ``everywhere`` also those that other threads call meanwhile.
    """
    entry = (backend,)
    token = _current.set(entry)
    if everywhere:
        _everywhere.append(entry)
    try:
        yield
    finally:
        if everywhere:
            _everywhere.remove(entry)
        _current.reset(token)
