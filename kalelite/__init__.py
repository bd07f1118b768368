"""Plain Python functions become Kubeflow pipelines.

Decorate functions with `step`, call them in a function decorated with `pipeline`, and run the
file: ``python -m kalelite train.py`` here, ``python -m kalelite train.py --kfp`` on Kubeflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite import marshal
    from kalelite.errors import (
        CaptureError,
        ClusterError,
        KaleliteError,
        MarshalError,
        PipelineError,
        ScriptError,
        StepError,
        UsageError,
    )
    from kalelite.executor.metrics import log_artifact, log_metric
    from kalelite.plan.container.step import container_step, load_component
    from kalelite.plan.container.words import Concat, IfPresent, InputPath, InputValue, OutputPath
    from kalelite.plan.control import Elif, Else, ExitHandler, If, ParallelFor
    from kalelite.plan.gather import Collected, OneOf
    from kalelite.plan.options.values import (
        ConfigMapEnv,
        ConfigMapFiles,
        Plain,
        Retries,
        SecretEnv,
        SecretFiles,
        SecurityContext,
        Toleration,
        Volume,
    )
    from kalelite.plan.pipeline import pipeline
    from kalelite.plan.status import FinalStatus
    from kalelite.plan.step import step
    from kalelite.plan.types.fit import MarshalData
    from kalelite.runs import load

# Where each public name lives. They are imported on first use, so `import kalelite` stays cheap.
_HOMES = {
    "CaptureError": "kalelite.errors",
    "ClusterError": "kalelite.errors",
    "Collected": "kalelite.plan.gather",
    "Concat": "kalelite.plan.container.words",
    "ConfigMapEnv": "kalelite.plan.options.values",
    "ConfigMapFiles": "kalelite.plan.options.values",
    "Elif": "kalelite.plan.control",
    "Else": "kalelite.plan.control",
    "ExitHandler": "kalelite.plan.control",
    "FinalStatus": "kalelite.plan.status",
    "If": "kalelite.plan.control",
    "IfPresent": "kalelite.plan.container.words",
    "InputPath": "kalelite.plan.container.words",
    "InputValue": "kalelite.plan.container.words",
    "KaleliteError": "kalelite.errors",
    "MarshalData": "kalelite.plan.types.fit",
    "MarshalError": "kalelite.errors",
    "OneOf": "kalelite.plan.gather",
    "OutputPath": "kalelite.plan.container.words",
    "ParallelFor": "kalelite.plan.control",
    "PipelineError": "kalelite.errors",
    "Plain": "kalelite.plan.options.values",
    "Retries": "kalelite.plan.options.values",
    "ScriptError": "kalelite.errors",
    "SecretEnv": "kalelite.plan.options.values",
    "SecretFiles": "kalelite.plan.options.values",
    "SecurityContext": "kalelite.plan.options.values",
    "StepError": "kalelite.errors",
    "Toleration": "kalelite.plan.options.values",
    "UsageError": "kalelite.errors",
    "Volume": "kalelite.plan.options.values",
    "container_step": "kalelite.plan.container.step",
    "load": "kalelite.runs",
    "load_component": "kalelite.plan.container.step",
    "log_artifact": "kalelite.executor.metrics",
    "log_metric": "kalelite.executor.metrics",
    "pipeline": "kalelite.plan.pipeline",
    "step": "kalelite.plan.step",
}

__all__ = [
    "CaptureError",
    "ClusterError",
    "Collected",
    "Concat",
    "ConfigMapEnv",
    "ConfigMapFiles",
    "Elif",
    "Else",
    "ExitHandler",
    "FinalStatus",
    "If",
    "IfPresent",
    "InputPath",
    "InputValue",
    "KaleliteError",
    "MarshalData",
    "MarshalError",
    "OneOf",
    "OutputPath",
    "ParallelFor",
    "PipelineError",
    "Plain",
    "Retries",
    "ScriptError",
    "SecretEnv",
    "SecretFiles",
    "SecurityContext",
    "StepError",
    "Toleration",
    "UsageError",
    "Volume",
    "container_step",
    "load",
    "load_component",
    "log_artifact",
    "log_metric",
    "marshal",
    "pipeline",
    "step",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("kalelite")
    if name == "marshal":
        return importlib.import_module("kalelite.marshal")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kalelite' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
