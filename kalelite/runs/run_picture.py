"""The picture of a run: its plan, with what has become of the tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kalelite.picture.card_states import CardState, card_state
from kalelite.picture.mimebundle import picture_html
from kalelite.runs.diagram_file import read_diagram
from kalelite.runs.run_dirs import task_of

if TYPE_CHECKING:
    from kalelite.runs.reading import RunRecord
    from kalelite.runs.task_state import TaskState


def run_picture(run: RunRecord, tasks: Mapping[str, TaskState]) -> str:
    """The plan with the states of its tasks; nothing where the record does not have it."""
    diagram = read_diagram(run.folder)
    if diagram is None:
        return ""
    return picture_html(diagram, states_of(tasks))


def states_of(tasks: Mapping[str, TaskState]) -> dict[str, CardState]:
    """The states of the tasks as their cards show them, from those of their instances."""
    instances: dict[str, list[tuple[str, float | None]]] = {}
    for name, task in tasks.items():
        instances.setdefault(task_of(name), []).append((task.status, task.seconds))
    return {id: card_state(found) for id, found in instances.items()}
