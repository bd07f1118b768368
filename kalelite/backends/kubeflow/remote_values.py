"""What a pipeline returned, from the records of a run on Kubeflow Pipelines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kalelite.engine.evaluate import evaluate
from kalelite.engine.results import MissingError, Results, ResultsView
from kalelite.errors import StepError
from kalelite.plan.graph import Loop, Plan, Switch
from kalelite.plan.order import Scopes

if TYPE_CHECKING:
    from kalelite.engine.transitions import Index
    from kalelite.executor.spec import OutputEntry
    from kalelite.runs.pipeline_run import Run


def result_value(run: Run, plan: Plan, arguments: Mapping[str, Any]) -> Any:
    """The value of the pipeline function; None if it returned nothing.

    Raises `StepError` if a step that it comes from has left no value that is known here, and
    `MarshalError` if a value cannot be read here.
    """
    if plan.result is None:
        return None
    results = Results(Scopes(plan), arguments, run.read)
    for name, task in run.tasks.items():
        if task.record is not None and task.record.status == "succeeded":
            _put(results, *_split(name), task.record.outputs)
    try:
        return evaluate(plan.result, ResultsView(results, (), ()))
    except MissingError as missing:
        raise StepError(
            f"what {missing.task} gave is not known here",
            hint="It is on the marshal volume of the run: kalelite get RUN --fetch brings it.",
        ) from None


def _split(name: str) -> tuple[str, Index]:
    return name.partition("[")[0], tuple(map(int, re.findall(r"\[(\d+)\]", name)))


def _put(
    results: Results,
    task: str,
    index: Index,
    outputs: Mapping[str, OutputEntry],
) -> None:
    """Add the outputs of an instance, and what follows from its having run."""
    scopes = results.scopes
    results.outputs[task, index] = outputs
    depth = 0
    for block in scopes.around(task):
        if isinstance(scopes.blocks[block], Loop):
            items = results.items.setdefault((block, index[:depth]), [])
            items.extend([None] * (index[depth] + 1 - len(items)))
            depth += 1
        elif isinstance(scopes.blocks.get(scopes.parent(block)), Switch):
            results.choices[scopes.parent(block), index[:depth]] = block
