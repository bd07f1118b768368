"""The Kubeflow backend: a plan becomes a pipeline of Kubeflow Pipelines v2.

kfp is imported when a plan is compiled, not before: `check_plan` and the settings need none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.build import Compiled, compile_plan
    from kalelite.backends.kubeflow.compile.compile_settings import Clone, Settings, settings_for
    from kalelite.backends.kubeflow.compile.compile_warnings import warnings_for
    from kalelite.backends.kubeflow.compile.dry_run import dry_run
    from kalelite.backends.kubeflow.compile.kfp_check import check_plan

__all__ = [
    "NOT_SUBMITTING",
    "Clone",
    "Compiled",
    "Settings",
    "check_plan",
    "compile_plan",
    "dry_run",
    "settings_for",
    "submit_plan",
    "warnings_for",
]

NOT_SUBMITTING = (
    "kalelite cannot submit to a cluster yet: write --kfp --compile FILE.yaml and upload the file "
    "to Kubeflow Pipelines, or --kfp --dry-run to see what it would create."
)

_HOMES = {
    "Clone": "compile.compile_settings",
    "Compiled": "compile.build",
    "Settings": "compile.compile_settings",
    "check_plan": "compile.kfp_check",
    "compile_plan": "compile.build",
    "dry_run": "compile.dry_run",
    "settings_for": "compile.compile_settings",
    "warnings_for": "compile.compile_warnings",
}


def submit_plan(pipeline: object, plan: object, arguments: object, **settings: object) -> NoReturn:
    """Refuse, in a sentence that says what to do instead.

    Raises
    ------
    UsageError
        Always.
    """
    from kalelite.errors import UsageError

    del pipeline, plan, arguments, settings
    raise UsageError(NOT_SUBMITTING)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
