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
    from kalelite.plan.container import (
        InputPath,
        InputValue,
        OutputPath,
        container_step,
        load_component,
    )
    from kalelite.plan.control import Elif, Else, ExitHandler, If, ParallelFor
    from kalelite.plan.gather import Collected, OneOf
    from kalelite.plan.pipeline import pipeline
    from kalelite.plan.status import FinalStatus
    from kalelite.plan.step import step
    from kalelite.plan.types import MarshalData
    from kalelite.runs import load

# Where each public name lives. They are imported on first use, so `import kalelite` stays cheap.
_HOMES = {
    "CaptureError": "kalelite.errors",
    "ClusterError": "kalelite.errors",
    "Collected": "kalelite.plan.gather",
    "Elif": "kalelite.plan.control",
    "Else": "kalelite.plan.control",
    "ExitHandler": "kalelite.plan.control",
    "FinalStatus": "kalelite.plan.status",
    "If": "kalelite.plan.control",
    "InputPath": "kalelite.plan.container",
    "InputValue": "kalelite.plan.container",
    "KaleliteError": "kalelite.errors",
    "MarshalData": "kalelite.plan.types",
    "MarshalError": "kalelite.errors",
    "OneOf": "kalelite.plan.gather",
    "OutputPath": "kalelite.plan.container",
    "ParallelFor": "kalelite.plan.control",
    "PipelineError": "kalelite.errors",
    "ScriptError": "kalelite.errors",
    "StepError": "kalelite.errors",
    "UsageError": "kalelite.errors",
    "container_step": "kalelite.plan.container",
    "load": "kalelite.runs",
    "load_component": "kalelite.plan.container",
    "log_artifact": "kalelite.executor.metrics",
    "log_metric": "kalelite.executor.metrics",
    "pipeline": "kalelite.plan.pipeline",
    "step": "kalelite.plan.step",
}

__all__ = [
    "CaptureError",
    "ClusterError",
    "Collected",
    "Elif",
    "Else",
    "ExitHandler",
    "FinalStatus",
    "If",
    "InputPath",
    "InputValue",
    "KaleliteError",
    "MarshalData",
    "MarshalError",
    "OneOf",
    "OutputPath",
    "ParallelFor",
    "PipelineError",
    "ScriptError",
    "StepError",
    "UsageError",
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
