"""The container steps of a run: the engine that they need, and the terms that each runs on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kalelite.backends.local.containers import guard
from kalelite.backends.local.containers.container_engine import Engine, find
from kalelite.backends.local.containers.container_function import Container
from kalelite.backends.local.containers.container_process import ContainerTerms
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.errors import UsageError
from kalelite.plan.graph import ContainerDef, Plan, StepDef, Task

__all__ = ["ContainerSteps", "containers_of"]


class ContainerSteps:
    """Says how the containers of one run are run; nothing to say without an engine."""

    def __init__(self, engine: Engine | None, folders: Mapping[str, Path], grace: float) -> None:
        self._engine = engine
        self._folders = folders
        self._grace = grace
        self._label = ""

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block containers may run; none is left after it."""
        if self._engine is None:
            yield
            return
        with guard.watching(self._engine.program) as self._label:
            yield

    def terms(self, task: Task, gpus: Sequence[str], folder: Path) -> ContainerTerms | None:
        """How an attempt runs its container; ``folder`` is the task's. None if it has none."""
        engine, options = self._engine, task.options
        if engine is None or not _runs_container(task):
            return None
        flags = engine.flags(options, gpus, self._folders, os.environ)
        return {
            "program": engine.program,
            "label": self._label,
            "flags": flags,
            "folder": str(folder),
            "grace": self._grace,
            "pull": options.pull_policy,
            "memory": options.memory_limit or options.memory,
        }

    def notes(self, plan: Plan) -> Iterator[str]:
        """What the user should know once."""
        engine = self._engine
        if engine is None:
            return
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


def _runs_container(task: Task) -> bool:
    return isinstance(task.step, StepDef) and isinstance(task.step.function, Container)


def containers_of(plan: Plan, settings: LocalSettings) -> ContainerSteps:
    """The containers of a plan; raises `UsageError` if it has some, and no engine answers."""
    tasks = [task for task in plan.tasks if isinstance(task.step, ContainerDef)]
    engine, reason = find() if tasks else (None, "")
    if tasks and engine is None:
        names = list(dict.fromkeys(repr(task.step.name) for task in tasks))
        few = len(names) == 1
        steps = (
            f"container step {names[0]} needs"
            if few
            else f"container steps {', '.join(names)} need"
        )
        instead = "or compile the pipeline for Kubeflow with --kfp"
        hint = f"Start it, {instead}." if reason else f"Install Docker or Podman, {instead}."
        raise UsageError(
            f"{steps} a container engine, and {reason or 'there is none on this machine'}",
            hint=hint,
            where=tasks[0].where,
        )
    return ContainerSteps(engine, settings.volumes, settings.grace)
