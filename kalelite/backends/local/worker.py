"""Runs one task in this process: the executor, between a limit on memory and an orderly end."""

from __future__ import annotations

import atexit
import contextlib
import signal
import traceback

from kalelite.backends.local import limits
from kalelite.backends.local.wire import Message
from kalelite.capture import CodeFolder
from kalelite.executor.run import execute
from kalelite.executor.spec import OutputSpec, TaskSpec
from kalelite.marshal import Store

__all__ = ["run_exit_functions", "work"]

_PATIENCE = 5
"""Seconds that exit functions may take once the task is over."""


def work(order: Message) -> int:
    """Run the task of an order; its record is committed when this returns. Gives an exit code."""
    given = order["spec"]
    outputs = tuple(OutputSpec(**output) for output in given["outputs"])
    spec = TaskSpec(**{**given, "outputs": outputs})
    if order.get("memory"):
        limits.limit_memory(order["memory"])
    record = execute(spec, CodeFolder(order["code"]), Store(order["store"], verify=order["verify"]))
    return 0 if record.status == "succeeded" else 1


def run_exit_functions() -> None:
    """Run what was registered with atexit; whatever takes too long ends with this process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE)
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit, which ends forked processes, skips them
    except BaseException:  # noqa: BLE001 - the task is over; its record stands
        with contextlib.suppress(BaseException):
            traceback.print_exc()
