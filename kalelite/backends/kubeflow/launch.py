"""Starts runs on Kubeflow Pipelines, and finds those again that were started."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kalelite.backends.kubeflow.compile.compile_settings import settings_for
from kalelite.backends.kubeflow.compile.recalling import recall_notes
from kalelite.backends.kubeflow.follow.node_map import node_map
from kalelite.backends.kubeflow.submit.connection import cluster_of
from kalelite.backends.kubeflow.submit.kfp_service import KfpService
from kalelite.backends.kubeflow.submit.provisioning import Supply
from kalelite.backends.kubeflow.submit.run_request import RunRequest, going_on
from kalelite.backends.kubeflow.submit.submission import marker, submit
from kalelite.backends.kubeflow.submit.volume_notes import VolumeNotes
from kalelite.backends.kubeflow.submitted_run import SubmittedRun
from kalelite.engine.named_steps import given_tasks, require_steps
from kalelite.errors import ClusterError, UsageError
from kalelite.plan.graph import ContainerDef, Loop, Output, Plan, Task
from kalelite.runs.earlier import require_done
from kalelite.runs.pipeline_run import Run
from kalelite.runs.writing import RunFolder


def launch(
    plan: Plan, arguments: Mapping[str, Any], request: RunRequest, note: Callable[[str], None]
) -> SubmittedRun:
    """Start a run of a checked plan; raises as `kalelite.backends.kubeflow.submit.submission`."""
    require_steps(plan, request.settings.get("refresh", ()))
    service = KfpService(request.connection, request.client)
    settings = settings_for(
        plan, {"kfp_version": service.greet().version or None, **request.settings}
    )
    cluster = cluster_of(request.connection, service.namespace)
    if request.start_after:
        name, step = request.start_after
        run = Run.open(name, folder=request.home)
        given = given_tasks(plan, step, settings.refresh)
        base = going_on(run, plan, settings, service, cluster, note)
        require_done(run, given)
        settings = replace(base, earlier=(), given=given, given_by=base.earlier)
        request = replace(request, start_after=(run.id, step))
    if request.resume:
        run = Run.open(request.resume, folder=request.home)
        settings = going_on(run, plan, settings, service, cluster, note)
        request = replace(request, resume=run.id)
    for text in recall_notes(plan, settings.reuse, lasts=settings.lasts, carries=settings.carries):
        note(text)
    supply = Supply(
        cluster,
        plan,
        settings,
        snapshot=request.source(),
        report=VolumeNotes(note),
        note=note,
    )
    folder, data = submit(plan, arguments, request, settings, service, supply, note)
    return SubmittedRun(folder, data, service.url(data["run"]), plan, service, cluster)


def attach(run: str, request: RunRequest) -> SubmittedRun:
    """A run that was started before, also if whoever started it was killed meanwhile.

    Raises `UsageError` if there is no such run, or it is none on Kubeflow Pipelines.
    """
    found = Run.open(run, folder=request.home)
    data = found.data.get("kfp")
    if data is None:
        raise UsageError(f"run {found.id} is not one on Kubeflow Pipelines")
    connection = request.connection.or_else(data)
    service = KfpService(connection, request.client)
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
    if not data["nodes"]:  # started elsewhere: its own prepare step has begun the record
        nodes = node_map(service.pipeline(data["run"]), data.get("batches", ()))
        data = {**data, "nodes": nodes}
        folder.update(kfp=data, url=service.url(data["run"]))
    url = str(found.data.get("url") or service.url(data["run"]))
    cluster = cluster_of(connection, service.namespace)
    return SubmittedRun(folder, data, url, _plan(found), service, cluster)


def _plan(run: Run) -> Plan:
    """The plan as far as the record of a run holds it: its tasks, and the loops around them."""
    loops = run.data["kfp"].get("loops", {})
    tasks = tuple(
        Task(
            entry["id"],
            ContainerDef(entry["step"], ""),
            {},
            tuple(Output(name) for name in entry["outputs"]),
            parent=loops.get(entry["id"], ""),
        )
        for entry in run.data["tasks"]
    )
    return Plan(run.pipeline, tasks, tuple(Loop(id) for id in dict.fromkeys(loops.values())))
