"""The end of a run on Kubeflow Pipelines, as a pipeline's caller receives it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.remote_values import result_value
from kalelite.errors import ClusterError, MissingObjectError, StepError

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
        """What the pipeline function returned, brought from the run's volume where it has to be.

        None, and a line on the standard error, where that cannot be read from here: the run has
        succeeded all the same.
        """
        if self._plan.result is None:
            return None
        try:
            return result_value(self.run.record(), self._plan, self._arguments)
        except (StepError, MissingObjectError):
            pass
        try:
            names = {f"{ref.task}.{ref.output}" for ref in self._plan.result.outputs()}
            return result_value(self.run.fetch(sorted(names)), self._plan, self._arguments)
        except (ClusterError, StepError, MissingObjectError) as error:
            print(
                f"what the pipeline returned is not known here, None stands for it: {error}",
                file=sys.stderr,
            )
            return None

    def check(self) -> None:
        """Raise `StepError` if the run did not succeed."""
        self.run.check()
