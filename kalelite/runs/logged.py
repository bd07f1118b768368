"""What the steps of a run have logged: metrics and artifacts, by "task.name"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.runs.task_state import TaskState


@frozen
class Artifact:
    """A file or folder that a step has logged; ``kind`` is what it is, as "image" or "html"."""

    task: str
    name: str
    kind: str
    path: Path


def artifacts_of(tasks: Mapping[str, TaskState]) -> list[Artifact]:
    """All artifacts, in the order of the tasks."""
    return [
        # A file beside the record, whatever path a record brings.
        Artifact(
            name,
            str(one["name"]),
            str(one.get("kind")),
            task.folder / "artifacts" / Path(one["file"]).name,
        )
        for name, task in tasks.items()
        if task.record is not None and task.folder is not None
        for one in task.record.artifacts
    ]


def curves_of(tasks: Mapping[str, TaskState]) -> dict[str, list[tuple[float, float]]]:
    """Every metric as its points: step and value; where no step was given, the place in the series."""
    series: dict[str, list[Mapping[str, Any]]] = {}
    for name, task in tasks.items():
        for point in task.record.metrics if task.record is not None else ():
            series.setdefault(f"{name}.{point['name']}", []).append(point)
    return {
        name: [
            (float(point.get("step", place)), float(point["value"]))
            for place, point in enumerate(points)
        ]
        for name, points in series.items()
    }
