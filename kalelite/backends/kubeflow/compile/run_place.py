"""What the record of a run says of where it is, as far as that is known when it is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalelite.plan.options.secrecy import secret_reason
from kalelite.runs.writing import task_summary

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.backends.kubeflow.compile.kfp_parameters import Root
    from kalelite.backends.kubeflow.compile.mounts import Storage
    from kalelite.backends.kubeflow.compile.ports import Wiring
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_files import KfpData


def place_of_run(wiring: Wiring, storage: Storage, settings: Settings) -> KfpData:
    """Where the steps of a run keep what they make; where the run itself is, is left empty."""
    volume = settings.marshal_volume
    clone = next((each.made for each in settings.clones if each.workspace), "")
    loops = wiring.scopes.loops
    tasks = wiring.scopes.tasks
    return {
        "run": "",
        "name": "",
        "host": "",
        "context": "",
        "namespace": "",
        "experiment": "",
        "nodes": {},
        "loops": {id: loops[id][-1] for id in tasks if loops.get(id)},
        "pods": wiring.tasks_of_pods(),
        "batches": sorted(wiring.batches),
        "home": storage.home,
        "claim": volume if isinstance(volume, str) else clone,
        "records": settings.run or "",
        "image": settings.default_image,
        "user": -1 if settings.run_as_user is None else settings.run_as_user,
        "group": -1 if settings.run_as_group is None else settings.run_as_group,
    }


def told_parameters(root: Root) -> dict[str, tuple[str, str]]:
    """The names and types of what a record may hold, by the inputs of the task that begins it."""
    found = [(name, one.type) for name, one in root.parameters.items()]
    return {f"p{n}": one for n, one in enumerate(found) if not secret_reason(one[0], "given")}


def begun_record(plan: Plan, place: KfpData) -> dict[str, Any]:
    """The record of a run that its own prepare task begins, which adds what only it knows."""
    return {
        "pipeline": plan.name,
        "state": "running",
        "process": {"pid": 0, "host": "", "born": ""},
        "experiment": plan.options.experiment,
        "tasks": [task_summary(task) for task in plan.tasks],
        "backend": "kubeflow",
        "kfp": place,
    }
