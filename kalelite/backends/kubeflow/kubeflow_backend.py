"""The Kubeflow backend as pipelines and the command line use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from kalelite.authoring.backends import Backend, Listener, Section
from kalelite.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from kalelite.errors import Problem
    from kalelite.plan.graph import Plan


class KubeflowBackend(Backend):
    """Compiles pipelines for Kubeflow Pipelines.

    Takes the settings of `kalelite.backends.kubeflow.compile.compile_settings.Settings`.
    """

    name = "kubeflow"

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def check(self, plan: Plan) -> list[Problem]:
        """Everything that is wrong with a plan for Kubeflow Pipelines."""
        from kalelite.backends.kubeflow.compile.compile_settings import settings_for
        from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
        from kalelite.plan.check import check

        return [*check(plan), *kfp_problems(plan, settings_for(plan, self._settings))]

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> NoReturn:
        """Refuse, in a sentence that says what to do instead."""
        del plan, arguments, listener
        raise UsageError(
            "kalelite cannot submit to a cluster yet: write --kfp --compile FILE.yaml and upload "
            "the file to Kubeflow Pipelines, or --kfp --dry-run to see what it would create."
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
