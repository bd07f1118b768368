"""The runs of one process: one for each call of a pipeline in its script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalelite.plan.graph import Plan
from kalelite.runs.pipeline_run import Run, list_runs
from kalelite.runs.run_files import plain_parameters


class Siblings:
    """The runs that the process of a run has started, each for one call to go on with.

    Where all but the last had succeeded, the script goes on with that: the others are taken whole.
    """

    def __init__(self, run: Run) -> None:
        process = run.data["process"]
        runs = list_runs(folder=run.home)[::-1]
        self._left = [one for one in runs if one.data["process"] == process]

    def take(self, plan: Plan, arguments: Mapping[str, Any]) -> str:
        """The id of the run that a call goes on with, which is given once; empty for none."""
        same = [one for one in self._left if one.pipeline == plan.name]
        equal = [one for one in same if one.parameters == plain_parameters(arguments)]
        found = next(iter([*equal, *same]), None)
        if found is None:
            return ""
        self._left.remove(found)
        return found.id
