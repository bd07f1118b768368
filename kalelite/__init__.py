"""Plain Python functions become Kubeflow pipelines.

Decorate functions with `step`, call them in a function decorated with `pipeline`, and run the
file: ``python -m kalelite train.py`` here, ``python -m kalelite train.py --kfp`` on Kubeflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite import marshal
    from kalelite.authoring.container.container_step import container_step, load_component
    from kalelite.authoring.control import Elif, Else, ExitHandler, If, ParallelFor
    from kalelite.authoring.fan_in import Collected, OneOf
    from kalelite.authoring.pipeline import pipeline
    from kalelite.authoring.step import step
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
    from kalelite.plan.container_command import Concat, IfPresent, InputPath, InputValue, OutputPath
    from kalelite.plan.options.values import (
        ConfigMapEnv,
        ConfigMapFiles,
        NotSecret,
        Retries,
        SecretEnv,
        SecretFiles,
        SecurityContext,
        Toleration,
        Volume,
    )
    from kalelite.plan.status import FinalStatus
    from kalelite.plan.types.fit import MarshalData
    from kalelite.runs.reading import load

# Where each public name lives. They are imported on first use, so `import kalelite` stays cheap.
_HOMES = {
    "CaptureError": "kalelite.errors",
    "ClusterError": "kalelite.errors",
    "Collected": "kalelite.authoring.fan_in",
    "Concat": "kalelite.plan.container_command",
    "ConfigMapEnv": "kalelite.plan.options.values",
    "ConfigMapFiles": "kalelite.plan.options.values",
    "Elif": "kalelite.authoring.control",
    "Else": "kalelite.authoring.control",
    "ExitHandler": "kalelite.authoring.control",
    "FinalStatus": "kalelite.plan.status",
    "If": "kalelite.authoring.control",
    "IfPresent": "kalelite.plan.container_command",
    "InputPath": "kalelite.plan.container_command",
    "InputValue": "kalelite.plan.container_command",
    "KaleliteError": "kalelite.errors",
    "MarshalData": "kalelite.plan.types.fit",
    "MarshalError": "kalelite.errors",
    "NotSecret": "kalelite.plan.options.values",
    "OneOf": "kalelite.authoring.fan_in",
    "OutputPath": "kalelite.plan.container_command",
    "ParallelFor": "kalelite.authoring.control",
    "PipelineError": "kalelite.errors",
    "Retries": "kalelite.plan.options.values",
    "ScriptError": "kalelite.errors",
    "SecretEnv": "kalelite.plan.options.values",
    "SecretFiles": "kalelite.plan.options.values",
    "SecurityContext": "kalelite.plan.options.values",
    "StepError": "kalelite.errors",
    "Toleration": "kalelite.plan.options.values",
    "UsageError": "kalelite.errors",
    "Volume": "kalelite.plan.options.values",
    "container_step": "kalelite.authoring.container.container_step",
    "load": "kalelite.runs.reading",
    "load_component": "kalelite.authoring.container.container_step",
    "log_artifact": "kalelite.executor.metrics",
    "log_metric": "kalelite.executor.metrics",
    "pipeline": "kalelite.authoring.pipeline",
    "step": "kalelite.authoring.step",
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
    "NotSecret",
    "OneOf",
    "OutputPath",
    "ParallelFor",
    "PipelineError",
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
