"""The local backend: a plan runs here, every task in a process of its own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite.backends.local.local_settings import LocalSettings
    from kalelite.backends.local.pool.prewarm import prewarm
    from kalelite.backends.local.result import RunResult
    from kalelite.backends.local.run import LocalTarget, run_plan

__all__ = ["LocalSettings", "LocalTarget", "RunResult", "prewarm", "run_plan", "target"]

_HOMES = {
    "LocalSettings": "local_settings",
    "LocalTarget": "run",
    "RunResult": "result",
    "prewarm": "pool.prewarm",
    "run_plan": "run",
}


def target() -> LocalTarget:
    """What runs a pipeline that is called without a face: here, with one line for each trouble."""
    from kalelite.backends.local.run import LocalTarget

    return LocalTarget()


def __getattr__(name: str) -> Any:
    # Lazily: the fork server and its children import one small part of this package.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
