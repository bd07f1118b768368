"""Runs one task in this process: the executor, between a limit on memory and an orderly end."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kalelite.attempts.posix import limit_memory
from kalelite.backends.local.pool.messages import TaskRequest, Verify
from kalelite.capture.load import CodeFolder
from kalelite.executor.execute import execute
from kalelite.executor.spec import OutputSpec, TaskSpec
from kalelite.marshal import Store

_TIMES = 12
"""As often Python runs code before it has adapted it to the types that it meets."""


def make_ready(request: TaskRequest) -> None:
    """Open what the requests of a run share, once: each process that is forked has it already.

    This reads data and runs nothing of it.
    """
    _open(request.code, request.store, request.verify, beside=bool(request.work))


@functools.cache
def _open(folder: str, store: str, verify: Verify, *, beside: bool) -> None:
    _store(store, verify)
    code = _code(folder)
    # All that is in one file is read with the first part of it.
    next(map(code.blob, code.index["bulk"]), None)
    if beside:
        import kalelite.backends.local.pool.working_folder  # noqa: F401
    gc.freeze()  # a collection would copy the pages that it looks at


_code = functools.cache(CodeFolder)


@functools.cache
def _store(folder: str, verify: Verify) -> Store:
    return Store(folder, verify=verify)


def work(request: TaskRequest) -> int:
    """Run the task of a request; its record is committed when this returns. Gives an exit code."""
    code, store = _code(request.code), _store(request.store, request.verify)
    around: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if request.container:
        # Other steps need not wait for it.
        from kalelite.backends.local.containers.container_function import on

        around = on(request.container)
    elif request.memory:
        limit_memory(request.memory)
    view = None
    if request.work:
        from kalelite.backends.local.pool.working_folder import WorkingFolder

        view = WorkingFolder(request.work, request.turn)
    with around:
        record = execute(request.spec, code, store, stored=view.keep if view else lambda: None)
    if view and record.status != "succeeded":
        with contextlib.suppress(OSError):
            view.keep()  # as plain Python leaves what was written before a failure
    return 0 if record.status == "succeeded" else 1


def rehearse(folder: Path) -> None:
    """Run tasks of our own, so that what is imported and specialised on the way is so before a fork.

    ``folder`` is made, and is gone afterwards.
    """
    folder.mkdir(0o700)
    try:
        store = Store(folder / "store")
        reference = store.save(["a value"])
        arguments = {"obj": {"ref": reference}}
        output = (OutputSpec("output", None, "int"),)
        for task in (*["good"] * _TIMES, "bad"):
            record = str(folder / task / "record.json")
            execute(TaskSpec(task, task, arguments, output, record=record), _Rehearsal(), store)
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


def _good(obj: Any) -> int:
    return len(obj)


class _Rehearsal:
    """A code source of two functions."""

    def function(self, key: str) -> Callable[..., Any]:
        functions: dict[str, Callable[..., Any]] = {"good": _good, "bad": str.join}
        return functions[key]

    def begin(self, place: str) -> None:
        """It draws no numbers."""

    def constant(self, name: str) -> Any:
        raise KeyError(name)
