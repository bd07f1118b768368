"""What a run on Kubeflow Pipelines does otherwise than one might think."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kalelite.backends.kubeflow.compile.code_notes import code_notes, few
from kalelite.backends.kubeflow.compile.compile_settings import settings_for
from kalelite.backends.kubeflow.compile.kfp_options import notes
from kalelite.backends.kubeflow.compile.recalling import recall_notes
from kalelite.plan.graph import ContainerDef, Plan, StatusRef, Task


def warnings_for(plan: Plan, **settings: Any) -> Iterator[str]:
    """A line for each thing that a run on KFP does otherwise than one might think."""
    texts = [plan.name, plan.description, *(each.description for each in plan.parameters)]
    if any("{{" in text for text in (*texts, *(task.step.description for task in plan.tasks))):
        yield "descriptions: Argo would expand '{{', so an invisible character stands between the braces"
    if plan.options.experiment:
        yield f"experiment: choose {plan.options.experiment!r} when you create a run of the file"
    tasks: dict[str, list[str]] = {}
    for task in plan.tasks:
        for note in notes(task.options, container=isinstance(task.step, ContainerDef)):
            tasks.setdefault(note, []).append(task.id)
    for note, names in tasks.items():
        yield f"{note} ({few(names)})"
    settled = settings_for(plan, settings)
    yield from recall_notes(plan, settled.reuse, lasts=settled.lasts, carries=settled.carries)
    if settled.carries and any(map(_asks_for_status, plan.tasks)):
        yield (
            "FinalStatus: the state is known, but not which step failed and why, for the values "
            "travel as artifacts"
        )
    yield from code_notes(plan, settled)


def _asks_for_status(task: Task) -> bool:
    exprs = task.arguments.values()
    return any(isinstance(part, StatusRef) for expr in exprs for part in expr.walk())
