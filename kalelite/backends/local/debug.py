"""Runs a plan in this process, one task after the other: breakpoints work, and errors rise."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import use_backend
from kalelite.backends.local.task_requests import TaskRequestBuilder
from kalelite.capture.load import CodeSource
from kalelite.engine.progress import Progress
from kalelite.executor.execute import execute
from kalelite.executor.import_folders import put_on_path
from kalelite.runs.run_result import step_error

if TYPE_CHECKING:
    from kalelite.engine.transitions import Ready


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

    def begin(self, place: str) -> None:
        self._code.begin(place)

    def constant(self, name: str) -> Any:
        return self._code.constant(name)


def run_here(progress: Progress, requests: TaskRequestBuilder, code: CodeSource) -> None:
    """Run a plan here, in the order of the calls.

    Values pass through the store as they do between processes. Time limits, limits on memory and
    retries do not apply. What a step raises is raised as it is; a `StepError` is where its result
    cannot be used, or it raised what is no Exception. Nothing is started after that but exit handlers.
    """
    first: BaseException | None = None
    while (entry := progress.take()) is not None:
        ready, attempt = entry
        record = requests.recall(ready)
        if record is not None:
            progress.finish(ready, record, requests.log(ready))
            continue
        try:
            progress.started(ready, attempt)
            with _environment(progress.options(ready).env):
                _run(ready, progress, requests, code)
        except BaseException as error:
            first = first or error
            progress.interrupt(f"{ready.instance.name} failed")
    if first is not None:
        raise first


def _nothing() -> None:
    """Threads go on: this process ends only after the last step."""


def _run(ready: Ready, progress: Progress, requests: TaskRequestBuilder, code: CodeSource) -> None:
    """Run one instance; raises what it raises."""
    instance = ready.instance
    log = requests.folder(instance) / "log.txt"
    watched = _Watched(code)
    container = requests.container(ready)
    with contextlib.ExitStack() as around:
        around.enter_context(use_backend(None))
        if container is not None:
            from kalelite.backends.local.containers.container_function import on

            around.enter_context(on(container))
        record = execute(requests.spec(ready, 1), watched, requests.store, returned=_nothing)
    progress.finish(ready, record, log)
    if isinstance(watched.error, (Exception, KeyboardInterrupt)):
        raise watched.error
    if record.failure is not None:
        # Also for `sys.exit` in a step: it ends the step, not the script.
        raise step_error(instance.name, record.failure) from watched.error


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    old = {name: os.environ.get(name) for name in env}
    path = list(sys.path)
    os.environ.update(env)
    put_on_path(env)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
