"""What the process of a task is to do: its request, and the results of earlier runs instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.backends.local.pool.import_environment import interpreter_flags, read_at_import
from kalelite.backends.local.pool.messages import TaskRequest
from kalelite.engine.task_specs import TaskSpecs
from kalelite.engine.transitions import Instance, Ready
from kalelite.executor.spec import Record, TaskSpec
from kalelite.frozen import frozen
from kalelite.plan.graph import Task

if TYPE_CHECKING:
    from kalelite.backends.local.containers.container_plan import ContainerSteps
    from kalelite.backends.local.containers.container_process import ContainerTerms
    from kalelite.backends.local.recall import Recall
    from kalelite.backends.local.turns import Turns
    from kalelite.marshal import Store
    from kalelite.runs.writing import RunFolder


@frozen
class TaskRequestBuilder:
    """Makes the requests of a run.

    ``tasks`` are by id. ``packages`` are folders of packages that steps ask for, by the set of
    requirements. ``known`` finds the results of earlier runs. ``code`` is the folder of the steps' code; None where no process is started. With
    ``spawn`` each process is a fresh interpreter. ``turns`` are those of tasks that get a working
    folder of their own; None where all run one after the other.
    """

    tasks: Mapping[str, Task]
    specs: TaskSpecs
    store: Store
    run: RunFolder
    containers: ContainerSteps | None
    packages: Mapping[tuple[str, ...], Path]
    known: Recall
    code: Path | None
    spawn: bool
    turns: Turns | None

    def folder(self, instance: Instance) -> Path:
        """The folder for the record and the log of an instance; it is made."""
        return self.run.task(instance.name)

    def spec(self, ready: Ready, attempt: int) -> TaskSpec:
        """The spec of an attempt."""
        record = self.run.tasks / ready.instance.name / "record.json"
        return self.specs.spec(ready, attempt, str(record))

    def request(
        self, ready: Ready, attempt: int, number: int, gpus: Sequence[str] = ()
    ) -> TaskRequest:
        """What to do for an attempt; ``number`` is how its process is referred to."""
        options = self.tasks[ready.instance.task].options
        container = self.container(ready, gpus)
        env = {}
        if container is None:  # else its variables are not for the engine's command
            env = dict(options.env)
            if gpus:
                env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        extra = self.packages.get(options.packages)
        turn = self.turns.of(ready.instance) if self.turns and not container else []
        fresh = self.spawn or extra or any(map(read_at_import, env))
        return TaskRequest(
            task=number,
            spec=self.spec(ready, attempt),
            code=str(self.code),
            store=str(self.store.folder),
            verify=self.store.verify,
            env=env,
            log=str(self.log(ready)),
            memory=options.memory_bound,
            timed=options.timeout is not None,
            container=container,
            flags=interpreter_flags() if fresh else None,
            path=str(extra or ""),
            work=str(self.run.folder / "work") if turn else "",
            turn=turn,
        )

    def container(self, ready: Ready, gpus: Sequence[str] = ()) -> ContainerTerms | None:
        """How an instance runs its container; None if it is a function's."""
        task = self.tasks[ready.instance.task]
        if self.containers is None:
            return None
        return self.containers.terms(task, gpus, self.run.tasks / ready.instance.name)

    def recall(self, ready: Ready) -> Record | None:
        """The result of an earlier run, if this one would be the same; looked for once."""
        task = self.tasks[ready.instance.task]
        return self.known.find(task, ready.instance.name, lambda: self.spec(ready, 1))

    def waits(self, ready: Ready) -> bool:
        """Whether another run is making the result of an instance right now."""
        return self.known.waits(ready.instance.name)

    def remember(self, record: Record) -> None:
        """Keep what a task has left, for the runs to come, if it asks for that."""
        self.known.remember(record)

    def idle(self) -> bool:
        """Do a little of what is to be done besides; false if nothing is left."""
        return self.known.idle()

    def log(self, ready: Ready) -> Path:
        """Where the log of an instance is."""
        return self.run.tasks / ready.instance.name / "log.txt"
