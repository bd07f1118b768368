"""Starts runs on Kubeflow Pipelines, and finds those again that were started."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile.compile_settings import settings_for
from kalelite.backends.kubeflow.compile.recalling import recall_notes
from kalelite.backends.kubeflow.submit.connection import Connection, Naming, cluster_of
from kalelite.backends.kubeflow.submit.kfp_service import KfpService
from kalelite.backends.kubeflow.submit.provisioning import Supply
from kalelite.backends.kubeflow.submit.run_start import Start, going_on
from kalelite.backends.kubeflow.submit.submission import marker, submit
from kalelite.backends.kubeflow.submit.volume_notes import VolumeNotes
from kalelite.backends.kubeflow.submitted_run import SubmittedRun
from kalelite.engine.named_steps import require_steps
from kalelite.errors import ClusterError, UsageError
from kalelite.plan.graph import ContainerDef, Loop, Output, Plan, Task
from kalelite.runs.pipeline_run import Run
from kalelite.runs.writing import RunFolder


def launch(
    plan: Plan,
    arguments: Mapping[str, Any],
    *,
    connection: Connection,
    settings: Mapping[str, Any],
    naming: Naming,
    home: str | Path | None,
    client: Any,
    snapshot: str,
    start: Start,
    note: Callable[[str], None],
) -> SubmittedRun:
    """Start a run of a checked plan; raises as `kalelite.backends.kubeflow.submit.submission`."""
    require_steps(plan, settings.get("refresh", ()))
    service = KfpService(connection, client)
    greeting = service.greet()
    given = {"kfp_version": greeting.version or None, **settings}
    folder = None if home is None else Path(home)
    settled = settings_for(plan, given)
    cluster = cluster_of(connection, service.namespace)
    run = Run.open(start.resume, folder=folder) if start.resume else None
    if run is not None:
        settled = going_on(run, plan, settled, service, cluster, note)
    for text in recall_notes(plan, settled.reuse, lasts=settled.lasts):
        note(text)
    details = start.details(settled, run.id if run else "")
    supply = Supply(cluster, plan, settled, snapshot=snapshot, report=VolumeNotes(note), note=note)
    submitted = submit(
        plan, arguments, service, connection, settled, naming, folder, supply, details, note
    )
    return SubmittedRun(submitted.folder, submitted.data, submitted.url, plan, service, cluster)


def attach(
    run: str, connection: Connection, home: str | Path | None, client: Any = None
) -> SubmittedRun:
    """A run that was started before, also if whoever started it was killed meanwhile.

    Raises `UsageError` if there is no such run, or it is none on Kubeflow Pipelines.
    """
    found = Run.open(run, folder=home)
    data = found.data.get("kfp")
    if data is None:
        raise UsageError(f"run {found.id} is not one on Kubeflow Pipelines")
    service = KfpService(connection.or_else(data), client)
    service.greet()
    folder = RunFolder(found.folder, found.data, time.time, None)
    if not data["run"]:
        id = service.find(data["name"], marker(found.id))
        if id is None:
            folder.finish("failed")
            raise ClusterError(
                f"run {found.id} was never started: whoever submitted it ended before that",
                hint="Submit the pipeline again.",
            )
        data = {**data, "run": id}
        folder.update(kfp=data, url=service.url(id), state="running")
    url = str(found.data.get("url") or service.url(data["run"]))
    cluster = cluster_of(connection, service.namespace)
    return SubmittedRun(folder, data, url, _plan(found), service, cluster)


def _plan(run: Run) -> Plan:
    """The plan as far as the record of a run holds it: its tasks, and the loops around them."""
    paths = {id: path for path, id in run.data["kfp"]["nodes"].items()}
    loops = {
        path: id for id, path in paths.items() if path.rpartition("/")[2].startswith("for-loop")
    }

    def around(id: str) -> str:
        path = paths.get(id, "")
        inside = [loop for loop in loops if path.startswith(f"{loop}/")]
        return loops[max(inside, key=len)] if inside else ""

    tasks = tuple(
        Task(
            entry["id"],
            ContainerDef(entry["step"], ""),
            {},
            tuple(Output(name) for name in entry["outputs"]),
            parent=around(entry["id"]),
        )
        for entry in run.data["tasks"]
    )
    blocks = tuple(Loop(id, around(id)) for id in loops.values())
    return Plan(run.pipeline, tasks, blocks)
