"""``--kfp``: compile a script's pipeline, or tell what a run would create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalelite.backends import kubeflow
from kalelite.cli.run import Face
from kalelite.cli.settings import kfp_settings
from kalelite.errors import ExitCode, UsageError
from kalelite.plan.graph import Plan

__all__ = ["Kubeflow"]


class Kubeflow:
    """The Kubeflow backend as the command uses it.

    The script stops at its first call of a pipeline, so a file is never written twice.

    Raises
    ------
    UsageError
        Neither a file to compile to nor a dry run was asked for.
    """

    gives_value = False

    def __init__(self, face: Face) -> None:
        self.status: int = ExitCode.OK
        self.shown: BaseException | None = None
        self.face = face
        options = face.request.options
        self.file: str | None = options.get("compile")
        self.dry_run = bool(options.get("dry_run"))
        if self.file is None and not self.dry_run:
            raise UsageError(kubeflow.NOT_SUBMITTING)

    def act(self, plan: Plan, arguments: Mapping[str, Any], *, wanted: bool = True) -> None:
        """Compile a plan, or show what a run of it would create."""
        del wanted  # there is no value: the script stops at the call
        said = {"arguments": arguments, **kfp_settings(self.face.settings, plan)}
        if self.dry_run:
            self.face.out.line(kubeflow.dry_run(plan, **said))
            return
        assert self.file is not None
        kubeflow.compile_plan(plan, self.file, **said)
        for note in kubeflow.warnings_for(plan, **said):
            self.face.out.line(note)
        self.face.out.line(f"compiled {plan.name} to {self.file}")

    def close(self) -> None:
        """Nothing is held."""
