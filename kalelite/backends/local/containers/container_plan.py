"""The container steps of a run: the engine that they need, and the terms that each runs on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalelite.backends.local.containers import guard
from kalelite.backends.local.containers.container_engine import Engine, find
from kalelite.backends.local.containers.container_function import Container
from kalelite.backends.local.containers.container_process import ContainerTerms
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.errors import UsageError
from kalelite.plan.graph import ContainerDef, Plan, StepDef, Task


@dataclass(slots=True)
class ContainerSteps:
    """Says how the containers of one run are run."""

    engine: Engine
    folders: Mapping[str, Path]
    grace: float
    label: str = ""

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block containers may run; none is left after it."""
        with guard.watching(self.engine.program) as self.label:
            yield

    def terms(self, task: Task, gpus: Sequence[str], folder: Path) -> ContainerTerms | None:
        """How an attempt runs its container; ``folder`` is the task's. None if it has none."""
        engine, options = self.engine, task.options
        step = task.step
        if not (isinstance(step, StepDef) and isinstance(step.function, Container)):
            return None
        flags = engine.flags(options, gpus, self.folders, os.environ)
        return {
            "program": engine.program,
            "label": self.label,
            "flags": flags,
            "folder": str(folder),
            "grace": self.grace,
            "pull": options.pull_policy,
            "memory": options.memory_limit or options.memory,
        }

    def notes(self, plan: Plan) -> Iterator[str]:
        """What the user should know once."""
        engine = self.engine
        steps = [task.options for task in plan.tasks if isinstance(task.step, ContainerDef)]
        deaf = [
            name
            for name, able in (("cpu", engine.cpu), ("memory", engine.memory))
            if not able
            and any(
                getattr(options, name) or getattr(options, f"{name}_limit") for options in steps
            )
        ]
        if deaf:
            yield f"{engine.name} cannot hold containers to {' and '.join(deaf)} on this machine."


def containers_of(plan: Plan, settings: LocalSettings) -> ContainerSteps:
    """The containers of a plan that has some; raises `UsageError` if no engine answers."""
    tasks = [task for task in plan.tasks if isinstance(task.step, ContainerDef)]
    engine, reason = find()
    if engine is None:
        names = list(dict.fromkeys(repr(task.step.name) for task in tasks))
        one, listed = len(names) == 1, ", ".join(names)
        steps = f"container step {listed} needs" if one else f"container steps {listed} need"
        instead = "or compile the pipeline for Kubeflow with --kfp"
        hint = f"Start it, {instead}." if reason else f"Install Docker or Podman, {instead}."
        raise UsageError(
            f"{steps} a container engine, and {reason or 'there is none on this machine'}",
            hint=hint,
            where=tasks[0].where,
        )
    return ContainerSteps(engine, settings.volumes, settings.grace)
