"""The number by which the trials of a sweep are compared."""

from __future__ import annotations

from typing import Any

from kalelite.errors import KaleliteError, UsageError
from kalelite.runs.pipeline_run import Run


def objective_of(run: Run, name: str) -> float:
    """What a run has for an objective: the metric last logged by that name, else an output.

    A metric may be named with its step: ``train.loss``. Raises `UsageError`: there is neither, or
    it is no number.
    """
    metrics: dict[str, Any] = {}
    for id, task in run.tasks.items():
        for one in task.record.metrics if task.record else ():
            metrics[one["name"]] = metrics[f"{id}.{one['name']}"] = one["value"]
    if name in metrics:
        return _number(metrics[name], name)
    outputs = run.outputs()
    try:
        keys = run.output_names(name)
    except UsageError:
        shown = ", ".join([*metrics, *outputs][:8])
        raise UsageError(
            f"there is no metric and no output {name!r}", hint=f"There are {shown}."
        ) from None
    if len(keys) != 1:
        raise UsageError(
            f"{name} stands for {len(keys)} values", hint=f"Name one of them: {keys[0]}"
        )
    entry = outputs[keys[0]]
    if "native" in entry:
        return _number(entry["native"], name)
    if entry["type"] in {"int", "float"} and entry["size"] <= 24:
        return float(entry["preview"])  # all of it: the value itself may be on a volume elsewhere
    try:
        return _number(run.load(keys[0]), name)
    except KaleliteError as error:
        raise UsageError(f"{name}: {error.message}") from error


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} is no number but a {type(value).__name__}") from None
