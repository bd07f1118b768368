"""One task, run in this process: load its inputs, call its function, save its outputs, commit.

The same code runs in a local worker process and in a pod. It imports the standard library, and
whatever the user's values need.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn

from kalelite.executor import failure
from kalelite.executor.argument_values import ArgumentValues
from kalelite.executor.metrics import TaskLog, recording
from kalelite.executor.record_file import commit, inputs_of
from kalelite.executor.returned_values import RefusedError, refused, save_returned, with_exception
from kalelite.executor.spec import OutputEntry, Record, TaskSpec
from kalelite.executor.wind_up import wind_up
from kalelite.marshal.removed import noting_removals

if TYPE_CHECKING:
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store


def execute(
    spec: TaskSpec,
    code: CodeSource,
    store: Store,
    *,
    durable: bool = False,
    parts: Mapping[str, str] | None = None,
    returned: Callable[[], None] = wind_up,
    stored: Callable[[], None] = lambda: None,
) -> Record:
    """Run one task and commit its record, which is returned; `OSError` if it cannot be written.

    Whatever the step raised is in the record; nothing that a step does is raised here.

    Parameters
    ----------
    spec
        What to run, and where the record goes; without a record path none is written.
    code
        Where the function and its constants come from.
    store
        Where inputs are read and outputs are written.
    durable, parts
        Sync the record to the disk; the parts of its key that the record keeps.
    returned, stored
        Called when the function has returned or failed, by default as Python ends; and when its
        outputs are in the store, before the record is committed.
    """
    started, log, report = time.time(), TaskLog(spec.record), None
    outputs: dict[str, OutputEntry] = {}
    try:
        with noting_removals():
            with recording(log), _ended_by(returned):
                result, function = _call(spec, code, store)
            outputs = save_returned(spec, result, function, store)
        store.settle()  # inputs that were mapped are right, or nothing made of them is kept
        stored()
    except RefusedError as error:
        report = error.report
    except BaseException as error:  # SystemExit and the like are failures of a step
        report = with_exception(failure.report(error, step=spec.task), error, store)
    finally:
        store.close()
    record = Record(
        spec.task,
        "failed" if report else "succeeded",
        attempt=spec.attempt,
        outputs={} if report else outputs,
        failure=report,
        metrics=tuple(log.metrics),
        artifacts=tuple(log.artifacts.values()),
        started=started,
        finished=time.time(),
        versions={"python": ".".join(map(str, sys.version_info[:3]))},
        inputs=inputs_of(spec.arguments),
        parts=parts or {},
    )
    if spec.record:
        commit(record, spec.record, durable=durable)
    return record


@contextlib.contextmanager
def _ended_by(returned: Callable[[], None]) -> Iterator[None]:
    """Call something at the end, unless the step was told to stop."""
    try:
        yield
    finally:
        if not isinstance(sys.exception(), failure.Terminated | KeyboardInterrupt):
            returned()


def _call(spec: TaskSpec, code: CodeSource, store: Store) -> tuple[Any, Any]:
    function = code.function(spec.step)
    inputs = ArgumentValues(code, store)
    arguments = {name: inputs.argument(name, slot) for name, slot in spec.arguments.items()}
    args: tuple[Any, ...] = ()
    if not _takes_names(function):
        bound = inspect.BoundArguments(inspect.signature(function), arguments)
        args, arguments = bound.args, bound.kwargs
    code.begin(spec.place or spec.task)
    pid = os.getpid()
    try:
        result = function(*args, **arguments)
    except BaseException:
        if os.getpid() != pid:
            _leave_fork(1)
        raise
    if os.getpid() != pid:
        _leave_fork(0)
    kind = _UNFINISHED.get(type(result))
    if kind:
        raise _unfinished(kind, function, result)
    return result, function


def _takes_names(function: Any) -> bool:
    """Whether it can be seen without making its signature that every argument may go by name."""
    if type(function) is not FunctionType or function.__dict__:
        return False
    code = function.__code__
    various = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return not code.co_posonlyargcount and not various


def _leave_fork(code: int) -> NoReturn:
    """End a process that the step has forked and that came back: the task is its parent's."""
    if code:
        import traceback

        traceback.print_exc()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    os._exit(code)


_UNFINISHED: dict[type, str] = {
    GeneratorType: "a generator, which has not computed anything yet",
    AsyncGeneratorType: "an async generator, which has not computed anything yet",
    CoroutineType: "a coroutine, which has not run yet",
}


def _unfinished(kind: str, function: Any, result: Any) -> RefusedError:
    if inspect.iscoroutine(result):
        result.close()
        hint = "call asyncio.run(...) inside the step and return its result"
    else:
        hint = "return list(...) of it"
    return refused("TypeError", f"the step returned {kind}", function, hint)
