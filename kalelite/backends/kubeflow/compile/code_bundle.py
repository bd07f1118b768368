"""The bundle of a lowered plan: the code of its steps, and the manifests of its tasks."""

from __future__ import annotations

import json

from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.backends.kubeflow.compile.task_manifest import task_manifests
from kalelite.executor import container_io
from kalelite.plan.graph import StepDef
from kalelite.plan.order import Scopes

__all__ = ["code_bundle"]

_CONVERTER = "kalelite.plan.types.spelling"
"""For parameters that are no primitives, and for values as text. It travels on request only."""


def code_bundle(wiring: Wiring, scopes: Scopes) -> bytes:
    """The content of a zip application.

    Raises
    ------
    CaptureError
        Code or a constant cannot travel.
    """
    from kalelite.capture import bundle as bundles
    from kalelite.capture.code import capture

    lowered = wiring.lowered
    code = capture(lowered.plan)
    manifests = task_manifests(wiring, scopes, code)
    # One file for all tasks: they are alike, and compress well together only.
    tasks = json.dumps(manifests, sort_keys=True, separators=(",", ":")).encode()
    modules = {
        task.step.function.__module__
        for task in lowered.plan.tasks
        if task.id in lowered.added and isinstance(task.step, StepDef)
    }
    ports = (port for manifest in manifests.values() for port in manifest["inputs"])
    if container_io.__name__ in modules or any("convert" in port for port in ports):
        modules.add(_CONVERTER)
    return bundles.bundle(code, {"tasks.json": tasks}, modules=tuple(sorted(modules)))
