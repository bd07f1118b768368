"""The bundle of a lowered plan: the code of its steps, and the manifests of its tasks.

A manifest is all that a pod needs besides the code. The user's own texts and constants are in
these two, not in the compiled pipeline, where Argo and KFP would read braces in them as their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.pod_plans import pod_manifests, pod_plans
from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.backends.kubeflow.compile.task_manifests import task_manifests
from kalelite.capture import bundle as bundles
from kalelite.capture.bundle.runtime_sources import ENTRY
from kalelite.capture.code import Code, capture
from kalelite.executor import container_io
from kalelite.frozen import frozen
from kalelite.plan.graph import StepDef

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.lower import Lowered
    from kalelite.backends.kubeflow.compile.recalling import Reuse
    from kalelite.executor.task_key import TaskKey

PREPARE_ENTRY = "kalelite.backends.kubeflow.pod.prepare_run:main"
_CONVERTER = "kalelite.plan.types.convert"
"""For parameters that are no primitives, and for values as text. It travels on request only."""
_SHARED = ("kalelite.backends.kubeflow.pod.shared_pod", "kalelite.plan.graph")
"""For pods that several tasks share; likewise."""
_CARRIED = (
    "kalelite.backends.kubeflow.pod.run_home",
    "kalelite.backends.kubeflow.pod.told_failures",
)
"""For values that travel as artifacts; likewise."""


@frozen
class PlanCode:
    """A lowered plan, with the code of its steps: the same whatever the volumes of a run are."""

    wiring: Wiring
    code: Code
    reuse: Reuse

    def names(self) -> Mapping[str, frozenset[str]]:
        """The names that each step of the user may use, by its task."""
        return {
            task.id: self.code.names(task)
            for task in self.wiring.lowered.plan.tasks
            if isinstance(task.step, StepDef) and not task.step.is_own
        }

    def keys(self) -> Mapping[str, TaskKey]:
        """What the results of each task depend on, by its id."""
        return task_manifests(self.wiring, self.code, self.reuse)[1]

    def bundle(self, preparation: bytes = b"") -> bytes:
        """The zip application; with a ``preparation`` it is also what the prepare task runs."""
        wiring = self.wiring
        manifests, _ = task_manifests(wiring, self.code, self.reuse)
        pods = pod_manifests(wiring)
        # One file for all tasks: they are alike, and compress well together only.
        tasks = json.dumps({**manifests, **pods}, sort_keys=True, separators=(",", ":")).encode()
        modules = {
            task.step.function.__module__
            for task in wiring.lowered.plan.tasks
            if isinstance(task.step, StepDef) and task.step.is_own
        }
        ports = (port for manifest in manifests.values() for port in manifest["inputs"])
        if container_io.__name__ in modules or any("convert" in port for port in ports):
            modules.add(_CONVERTER)
        if pods:
            modules.update(_SHARED)
        if wiring.lowered.carries:
            modules.update(_CARRIED)
        files = {f"pods/{id}.pickle": data for id, data in pod_plans(wiring).items()}
        files |= {"tasks.json": tasks}
        files |= {"prepare.json": preparation} if preparation else {}
        entry = PREPARE_ENTRY if preparation else ENTRY
        return bundles.bundle(self.code, files, entry=entry, modules=tuple(sorted(modules)))


def plan_code(lowered: Lowered, reuse: Reuse) -> PlanCode:
    """Capture the code of a lowered plan; raises `CaptureError` if code or constants cannot travel."""
    return PlanCode(Wiring(lowered), capture(lowered.plan), reuse)
