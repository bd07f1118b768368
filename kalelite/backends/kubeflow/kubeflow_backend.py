"""The Kubeflow backend as pipelines and the command line use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    `kalelite.backends.kubeflow.submit.connection.Connection`, and of a run: ``home``, where its
    record is kept, ``client``, ``run_name``, ``experiment``, ``service_account`` and ``snapshot``,
    an earlier run, or a snapshot that a step has taken, whose volumes it starts from. ``words`` and
    ``called_in`` are as in a local run, ``resume`` is the id of a run to go on from.
    """

    name = "kubeflow"

    def __init__(
        self,
        *,
        home: str | Path | None = None,
        client: Any = None,
        run_name: str = "",
        experiment: str = "",
        service_account: str = "",
        snapshot: str = "",
        words: Sequence[str] = (),
        called_in: str = "",
        resume: str = "",
        **settings: Any,
    ) -> None:
        from kalelite.backends.kubeflow.submit.connection import Connection, Naming
        from kalelite.backends.kubeflow.submit.run_start import Start

        self._home = home
        self._client = client
        self._snapshot = snapshot
        self._naming = Naming(run_name, experiment, service_account)
        self._start = Start(tuple(words), called_in, resume)
        self._given = settings
        self._settings = dict(settings)
        self._connection = Connection.taken_from(self._settings)

    def resuming(self, run: str) -> KubeflowBackend:
        """The same backend, which goes on with a run."""
        naming, start = self._naming, self._start
        return KubeflowBackend(
            home=self._home,
            client=self._client,
            run_name=naming.run,
            experiment=naming.experiment,
            service_account=naming.account,
            snapshot=self._snapshot,
            words=start.words,
            called_in=start.called_in,
            resume=run,
            **self._given,
        )

    def check(self, plan: Plan) -> list[Problem]:
        """Everything that is wrong with a plan for Kubeflow Pipelines."""
        from kalelite.backends.kubeflow.compile.compile_settings import settings_for
        from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
        from kalelite.plan.check import check

        return [*check(plan), *kfp_problems(plan, settings_for(plan, self._settings))]

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

        return launch(
            plan,
            arguments,
            connection=self._connection,
            settings=self._settings,
            naming=self._naming,
            home=self._home,
            client=self._client,
            snapshot=self._snapshot,
            start=self._start,
            note=lambda text: (listener or BriefReporter()).emit(Note(text)),
        )

    def greet(self) -> str:
        """The address and the version of the API; raises `ClusterError` if it does not answer."""
        from kalelite.backends.kubeflow.submit.kfp_service import KfpService

        service = KfpService(self._connection, self._client)
        return f"{service.greet().version or 'of an unknown version'} at {service.host}"

    def attach(self, run: str) -> SubmittedRun:
        """A run that was started before, by its id here."""
        from kalelite.backends.kubeflow.launch import attach

        return attach(run, self._connection, self._home, self._client)

    def schedules(self) -> KfpSchedules:
        """The recurring runs of the API; imports kfp."""
        from kalelite.backends.kubeflow.recur.kfp_schedules import KfpSchedules

        return KfpSchedules(
            self._connection,
            self._settings,
            self._naming,
            self._client,
            self._snapshot,
            _print_note,
        )

    def compile(self, plan: Plan, path: str | Path, arguments: Mapping[str, Any]) -> list[str]:
        """Write the pipeline's package; imports kfp."""
        from kalelite.backends.kubeflow.compile.build import compile_plan
        from kalelite.backends.kubeflow.compile.dry_run import file_notes, warnings_for
        from kalelite.plan.check.advice import advice

        settings = {"arguments": arguments, **self._settings}
        compiled = compile_plan(plan, path, **settings)
        remarks = (*warnings_for(plan, **settings), *file_notes(compiled))
        return [*advice(plan, arguments), *remarks]

    def dry_run(self, plan: Plan, arguments: Mapping[str, Any]) -> list[Section]:
        """Every check, and what a run would create."""
        from kalelite.backends.kubeflow.compile.dry_run import dry_run
        from kalelite.plan.check.advice import advice

        sections = dry_run(plan, **{"arguments": arguments, **self._settings})
        rows = tuple((line,) for line in advice(plan, arguments))
        return [*sections, *([Section("Worth knowing", rows)] if rows else [])]


def _print_note(text: str) -> None:
    BriefReporter().emit(Note(text))
