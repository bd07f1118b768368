"""Plain Python functions become Kubeflow pipelines.

Decorate functions with `step`, call them in a function decorated with `pipeline`, and run the
file: ``python -m kalelite train.py`` here, ``python -m kalelite train.py --kfp`` on Kubeflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

# What type checkers and editors see; `_PUBLIC` is the same for Python.
if TYPE_CHECKING:
    from kalelite import marshal as marshal, runs as runs
    from kalelite.authoring.container.container_step import (
        container_step as container_step,
        load_component as load_component,
    )
    from kalelite.authoring.control import (
        Elif as Elif,
        Else as Else,
        ExitHandler as ExitHandler,
        If as If,
        ParallelFor as ParallelFor,
        Together as Together,
    )
    from kalelite.authoring.decorators import pipeline as pipeline, step as step
    from kalelite.authoring.fan_in import Collected as Collected, OneOf as OneOf
    from kalelite.authoring.own_steps import snapshot as snapshot, sync as sync
    from kalelite.capture.state.setups import setup as setup
    from kalelite.errors import (
        CaptureError as CaptureError,
        ClusterError as ClusterError,
        KaleliteError as KaleliteError,
        MarshalError as MarshalError,
        PipelineError as PipelineError,
        ScriptError as ScriptError,
        StepError as StepError,
        TransferError as TransferError,
        UsageError as UsageError,
    )
    from kalelite.executor.metrics import log_artifact as log_artifact, log_metric as log_metric
    from kalelite.plan.container_command import (
        Concat as Concat,
        IfPresent as IfPresent,
        InputPath as InputPath,
        InputValue as InputValue,
        OutputPath as OutputPath,
    )
    from kalelite.plan.options.values import (
        ConfigMapEnv as ConfigMapEnv,
        ConfigMapFiles as ConfigMapFiles,
        NotSecret as NotSecret,
        Retries as Retries,
        SecretEnv as SecretEnv,
        SecretFiles as SecretFiles,
        SecurityContext as SecurityContext,
        Toleration as Toleration,
        Volume as Volume,
    )
    from kalelite.plan.status import FinalStatus as FinalStatus
    from kalelite.plan.types.fit import MarshalData as MarshalData
    from kalelite.runs.pipeline_run import load as load

_PUBLIC: Final = {
    "kalelite.authoring.container.container_step": ("container_step", "load_component"),
    "kalelite.authoring.control": ("Elif", "Else", "ExitHandler", "If", "ParallelFor", "Together"),
    "kalelite.authoring.decorators": ("pipeline", "step"),
    "kalelite.authoring.fan_in": ("Collected", "OneOf"),
    "kalelite.authoring.own_steps": ("snapshot", "sync"),
    "kalelite.capture.state.setups": ("setup",),
    "kalelite.errors": (
        "CaptureError",
        "ClusterError",
        "KaleliteError",
        "MarshalError",
        "PipelineError",
        "ScriptError",
        "StepError",
        "TransferError",
        "UsageError",
    ),
    "kalelite.executor.metrics": ("log_artifact", "log_metric"),
    "kalelite.plan.container_command": (
        "Concat",
        "IfPresent",
        "InputPath",
        "InputValue",
        "OutputPath",
    ),
    "kalelite.plan.options.values": (
        "ConfigMapEnv",
        "ConfigMapFiles",
        "NotSecret",
        "Retries",
        "SecretEnv",
        "SecretFiles",
        "SecurityContext",
        "Toleration",
        "Volume",
    ),
    "kalelite.plan.status": ("FinalStatus",),
    "kalelite.plan.types.fit": ("MarshalData",),
    "kalelite.runs.pipeline_run": ("load",),
}
"""The public names by their modules, which are imported on first use: `import kalelite` is cheap."""

_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}
_EXTENSION = {"load_ipython_extension": "kalelite.cli.magics"}
"""What ``%load_ext kalelite`` asks for."""

__all__ = [*sorted(_MODULES), "marshal", "runs"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("kalelite")
    if name in {"marshal", "runs"}:
        return importlib.import_module(f"kalelite.{name}")
    module = _MODULES.get(name) or _EXTENSION.get(name)
    if module is None:
        if name.startswith("_"):
            raise AttributeError(f"module 'kalelite' has no attribute {name!r}")
        from kalelite.authoring.foreign_names import error_for  # here: only mistakes need it

        raise error_for(name, __all__)
    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
