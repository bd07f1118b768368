"""Names that Kale and KFP have and kalelite has not, with what does the same here."""

from __future__ import annotations

import sys
from collections.abc import Collection
from opcode import opname
from typing import Final

from kalelite.plan.suggest import did_you_mean

_ARTIFACT = "`log_artifact` in a step keeps a file or a figure; other values are returned"
_DSL = "import what you need from it by name: `from kalelite import step, pipeline, If`"
_STEP = "a step is a function with `@step`"
_CONTAINER = "`container_step` makes a step of an image"
_OPTIONS = "such things are options of a step, as in `@step(memory='2Gi', secrets=...)`"
_COMMAND = "`python -m kalelite SCRIPT --kfp --compile FILE.yaml` does that"
_KFP: Final = {
    "artifact": _ARTIFACT,
    "Artifact": _ARTIFACT,
    "ClassificationMetrics": _ARTIFACT,
    "Client": _COMMAND,
    "Condition": "`If` is the same",
    "ContainerOp": _CONTAINER,
    "ContainerSpec": _CONTAINER,
    "Dataset": _ARTIFACT,
    "HTML": _ARTIFACT,
    "Input": "a step takes values by its parameters, without a type of their own",
    "Markdown": _ARTIFACT,
    "Metrics": "`log_metric` in a step does that",
    "Model": _ARTIFACT,
    "Output": "a step returns its values",
    "PipelineTask": _OPTIONS,
    "PipelineTaskFinalStatus": "`FinalStatus` is the same",
    "compiler": _COMMAND,
    "component": _STEP,
    "components": "`load_component` reads a component file",
    "container_component": _CONTAINER,
    "create_component_from_func": _STEP,
    "dsl": _DSL,
    "func_to_container_op": _STEP,
    "graph_component": "a function with `@pipeline` can be called in another one",
    "kubernetes": _OPTIONS,
    "load_component_from_file": "`load_component` is the same",
    "load_component_from_text": "`load_component` is the same",
    "load_component_from_url": "`load_component` is the same",
    "notebook_component": _STEP,
    "sdk": _DSL,
}


def error_for(name: str, known: Collection[str]) -> Exception:
    """The error of a name that kalelite does not have, for its ``__getattr__``.

    For ``from kalelite import name`` it is an ImportError, as Python would drop the text of an
    AttributeError.
    """
    caller = sys._getframe(2)
    if caller.f_globals.get("__name__") == "importlib._bootstrap":  # it goes on to a submodule
        return AttributeError(name)
    hint = f"{_KFP[name]}." if name in _KFP else did_you_mean(name, known)
    if opname[caller.f_code.co_code[caller.f_lasti]] == "IMPORT_FROM":
        message = f"kalelite has no {name!r}. {hint}".strip()
        return ImportError(message, name="kalelite")
    return AttributeError(f"module 'kalelite' has no attribute {name!r}. {hint}".strip())
