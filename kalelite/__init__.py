"""Plain Python functions become Kubeflow pipelines.

Decorate functions with `step`, call them in a function decorated with `pipeline`, and run the
file: ``python -m kalelite train.py`` here, ``python -m kalelite train.py --kfp`` on Kubeflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Where each public name lives. They are imported on first use, so `import kalelite` stays cheap.
_HOMES = {
    "CaptureError": "kalelite.errors",
    "ClusterError": "kalelite.errors",
    "KaleliteError": "kalelite.errors",
    "MarshalError": "kalelite.errors",
    "PipelineError": "kalelite.errors",
    "ScriptError": "kalelite.errors",
    "StepError": "kalelite.errors",
    "UsageError": "kalelite.errors",
}

__all__ = [
    "CaptureError",
    "ClusterError",
    "KaleliteError",
    "MarshalError",
    "PipelineError",
    "ScriptError",
    "StepError",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("kalelite")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kalelite' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
