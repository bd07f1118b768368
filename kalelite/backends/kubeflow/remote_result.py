"""The end of a run on Kubeflow Pipelines, as a pipeline's caller receives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.remote_values import result_value

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.submitted_run import SubmittedRun
    from kalelite.plan.graph import Plan


class RemoteResult:
    """A run that was followed to its end."""

    def __init__(
        self, run: SubmittedRun, state: str, plan: Plan, arguments: Mapping[str, Any]
    ) -> None:
        self.run = run
        self.state = state
        self._plan = plan
        self._arguments = arguments

    @property
    def value(self) -> Any:
        """What the pipeline function returned; raises `KaleliteError` if it cannot be read here."""
        return result_value(self.run.record(), self._plan, self._arguments)

    def check(self) -> None:
        """Raise `StepError` if the run did not succeed."""
        self.run.check()
