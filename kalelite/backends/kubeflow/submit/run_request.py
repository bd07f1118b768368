"""What a run is asked for with, and the run that it goes on from: on its volume, with what it finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes
from kalelite.backends.kubeflow.submit.connection import Connection
from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.runs.earlier import chain
from kalelite.runs.pipeline_run import Run
from kalelite.runs.run_again import started_by
from kalelite.volumes.resources import CLAIMS

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_files import RunDetails
    from kalelite.volumes.cluster import Cluster


@frozen
class RunRequest:
    """All that is asked of a run besides its plan and arguments.

    Attributes
    ----------
    connection
        How Kubeflow Pipelines is reached.
    settings
        Those of `kalelite.backends.kubeflow.compile.compile_settings.Settings` that are given.
    home
        Where its record is kept.
    client
        The user's own client of Kubeflow Pipelines.
    run_name, experiment
        What the run and its experiment are called; empty takes what kalelite would choose.
    service_account
        What its pods run as, empty for that of the installation.
    snapshot
        An earlier run, or a snapshot that a step has taken, whose volumes it starts from.
    words, called_in
        The words of the command, and the folder that it was given in.
    resume
        The id of a run to go on from.
    start_after
        An earlier run and a step: its results and those before it are taken.
    """

    connection: Connection
    settings: Mapping[str, Any]
    home: str | Path | None = None
    client: Any = None
    run_name: str = ""
    experiment: str = ""
    service_account: str = ""
    snapshot: str = ""
    words: Sequence[str] = ()
    called_in: str = ""
    resume: str = ""
    start_after: tuple[str, str] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> RunRequest:
        """The request that settings of the backend make, each under its own name."""
        rest = dict(given)
        connection = Connection.taken_from(rest)
        names = {field.name for field in fields(cls)} & rest.keys()
        own = {name: rest.pop(name) for name in names}
        return cls(connection, rest, **own)

    def experiment_of(self, plan: Plan) -> str:
        """The name of the experiment that its runs are in."""
        return self.experiment or plan.options.experiment or "Default"

    def source(self) -> str:
        """The id of what it starts from: a run may be given by its name, too, or as the last one."""
        if self.snapshot:
            with suppress(UsageError):  # a snapshot, or a run of another machine
                return Run.open(self.snapshot, folder=self.home).id
        return self.snapshot

    def details(self, settings: Settings) -> RunDetails:
        """What the record of the run says of how it was started."""
        start = started_by(self.words, self.called_in)
        details: RunDetails = {"backend": "kubeflow", "start": start}
        if self.resume:
            details["resumes"] = self.resume
        if settings.cache is False:
            details["reuse"] = False
        if settings.refresh:
            details["fresh"] = list(settings.refresh)
        if self.start_after:
            details |= {"given": sorted(settings.given), "given_by": self.start_after[0]}
        return details


def going_on(
    run: Run,
    plan: Plan,
    settings: Settings,
    service: KfpService,
    cluster: Cluster | None,
    note: Callable[[str], None],
) -> Settings:
    """The settings of a run that goes on from another one.

    Raises `UsageError`: that is none on Kubeflow Pipelines, or of another pipeline, or it still
    goes on, or its volume has gone.
    """
    if run.pipeline != plan.name:
        raise UsageError(f"run {run.id} is of the pipeline {run.pipeline!r}, not of {plan.name!r}")
    data = run.data.get("kfp")
    if data is None or not data["run"]:
        raise UsageError(f"run {run.id} has not run on Kubeflow Pipelines")
    if run.state == "running" and service.run(data["run"]).state == "running":
        hint = f"Wait for its end: kalelite follow {run.id}; or stop it: kalelite cancel {run.id}"
        raise UsageError(f"run {run.id} is still going on", hint=hint)
    if not data["home"] or settings.carries:
        raise UsageError(
            "values travelled as artifacts, which another run cannot go on from"
            if not data["home"]
            else "marshal='artifacts' has no volume on which a run could go on",
            hint="Start it anew; marshal_volume=NAME of a claim that stays keeps what a run made.",
        )
    claim = data["claim"] or run_nodes(service.manifest(data["run"])).workflow
    claims = cluster.list(CLAIMS) if cluster is not None else None
    if claims is not None and claim not in {each["metadata"]["name"] for each in claims}:
        raise UsageError(
            f"the volume of run {run.id} is gone: there is no claim {claim!r}",
            hint="Start it anew; marshal_volume=NAME of a claim that stays keeps what a run made.",
        )
    if settings.marshal_volume != claim:
        note(f"the values lie on the volume of run {run.id}, {claim}, and go with that run")
    kfp = [each.data["kfp"] for each in chain(run) if "kfp" in each.data]
    earlier = tuple(each["records"] or each["run"] for each in kfp)
    return replace(settings, marshal_volume=claim, earlier=earlier)
