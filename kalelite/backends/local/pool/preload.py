"""Importing a module ahead in the fork server, and whether that may still be forked.

A process that runs threads cannot be forked safely: the child has the locks that they held but
not the threads. Most libraries start none when they are only imported. A few compiled ones do
and are made for it: they stop or restart their threads around a fork.
"""

from __future__ import annotations

import gc
import importlib
import sys

from kalelite.attempts.posix import threads
from kalelite.attempts.task_process import get_ready

# Tried: a process that has only imported these forks children that compute correctly.
_FORKS_WELL = frozenset(
    {
        "lightgbm",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "scipy",
        "sklearn",
        "torch",
        "xgboost",
    }
)


def import_quietly(name: str) -> str:
    """Import a module; returns why this process must not be forked any more, "" if it may.

    A module that cannot be imported is left to the step that needs it.
    """
    before, known = threads(), set(sys.modules)
    try:
        importlib.import_module(name)
    except BaseException:  # a package may do anything at import
        return f"importing {name} failed" if _runs_threads() else ""
    if _runs_threads():
        return f"{name} starts a thread when it is imported"
    fresh = {module.partition(".")[0] for module in set(sys.modules) - known}
    if threads() > before and not fresh & _FORKS_WELL:
        return f"{name} starts a thread when it is imported"
    return ""


def _runs_threads() -> bool:
    """Whether Python's own threads run; not imported for that, as each fork would pay for it."""
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def ready_to_fork() -> None:
    """Do here, once, what each process that is forked from this one would do for itself."""
    get_ready()
    gc.freeze()
