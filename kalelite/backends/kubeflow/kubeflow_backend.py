"""The Kubeflow backend as pipelines and the command line use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import Backend, Listener, Section
from kalelite.authoring.events import BriefReporter, Note

if TYPE_CHECKING:
    from pathlib import Path

    from kalelite.backends.kubeflow.recur.kfp_schedules import KfpSchedules
    from kalelite.backends.kubeflow.remote_result import RemoteResult
    from kalelite.backends.kubeflow.submitted_run import SubmittedRun
    from kalelite.errors import Problem
    from kalelite.plan.graph import Plan


class KubeflowBackend(Backend):
    """Compiles pipelines for Kubeflow Pipelines, and runs them there.

    Takes the settings of `kalelite.backends.kubeflow.compile.compile_settings.Settings`, those of
    `kalelite.backends.kubeflow.submit.connection.Connection`, and of a run those of
    `kalelite.backends.kubeflow.submit.run_request.RunRequest`.
    """

    name = "kubeflow"

    def __init__(self, **settings: Any) -> None:
        from kalelite.backends.kubeflow.submit.run_request import RunRequest

        self._request = RunRequest.of(settings)

    def resuming(self, run: str) -> KubeflowBackend:
        """The same backend, which goes on with a run."""
        other = KubeflowBackend()
        other._request = replace(self._request, resume=run)
        return other

    def check(self, plan: Plan) -> list[Problem]:
        """Everything that is wrong with a plan for Kubeflow Pipelines."""
        from kalelite.backends.kubeflow.compile.compile_settings import settings_for
        from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
        from kalelite.plan.check import check

        return [*check(plan), *kfp_problems(plan, settings_for(plan, self._request.settings))]

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> RemoteResult:
        """Submit the plan, and follow the run to its end."""
        from kalelite.backends.kubeflow.remote_result import RemoteResult

        submitted = self.submit(plan, arguments, listener)
        return RemoteResult(submitted, submitted.follow(listener), plan, arguments)

    def submit(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> SubmittedRun:
        """Start a run; imports kfp."""
        from kalelite.backends.kubeflow.launch import launch

        def note(text: str) -> None:
            (listener or BriefReporter()).emit(Note(text))

        return launch(plan, arguments, self._request, note)

    def greet(self) -> str:
        """The address and the version of the API; raises `ClusterError` if it does not answer."""
        from kalelite.backends.kubeflow.submit.kfp_service import KfpService

        service = KfpService(self._request.connection, self._request.client)
        return f"{service.greet().version or 'of an unknown version'} at {service.host}"

    def attach(self, run: str) -> SubmittedRun:
        """A run that was started before, by its id here."""
        from kalelite.backends.kubeflow.launch import attach

        return attach(run, self._request)

    def schedules(self) -> KfpSchedules:
        """The recurring runs of the API; imports kfp."""
        from kalelite.backends.kubeflow.recur.kfp_schedules import KfpSchedules

        return KfpSchedules(self._request, lambda text: BriefReporter().emit(Note(text)))

    def compile(self, plan: Plan, path: str | Path, arguments: Mapping[str, Any]) -> list[str]:
        """Write the pipeline's package; imports kfp."""
        from kalelite.backends.kubeflow.compile.build import compile_plan
        from kalelite.backends.kubeflow.compile.dry_run import file_notes
        from kalelite.backends.kubeflow.compile.plan_warnings import warnings_for
        from kalelite.plan.check.advice import advice

        settings = {"arguments": arguments, **self._request.settings}
        compiled = compile_plan(plan, path, **settings)
        remarks = (*warnings_for(plan, **settings), *file_notes(compiled))
        return [*advice(plan, arguments), *remarks]

    def dry_run(self, plan: Plan, arguments: Mapping[str, Any]) -> list[Section]:
        """Every check, and what a run would create."""
        from kalelite.backends.kubeflow.compile.compile_settings import settings_for
        from kalelite.backends.kubeflow.compile.dry_run import dry_run
        from kalelite.backends.kubeflow.submit.connection import cluster_of
        from kalelite.backends.kubeflow.submit.run_owner import obstacle_to
        from kalelite.plan.check.advice import advice

        request = self._request
        cluster = cluster_of(request.connection, request.connection.kfp_namespace)
        settings = {"arguments": arguments, **request.settings}
        obstacle = obstacle_to(cluster, plan, settings_for(plan, settings))
        sections = dry_run(plan, supplied=not obstacle, **settings)
        rows = tuple((line,) for line in advice(plan, arguments))
        return [*sections, *([Section("Worth knowing", rows)] if rows else [])]
