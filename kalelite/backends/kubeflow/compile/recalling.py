"""What the pods need to know to take results of earlier runs, and to keep theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.engine.task_keys import TaskKeys
from kalelite.executor.task_key import TaskKey, digest
from kalelite.frozen import frozen
from kalelite.plan.graph import ContainerDef, Plan, Task

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import Recalling
    from kalelite.capture.code import Code
    from kalelite.executor.spec import Slot, TaskSpec


@frozen
class Reuse:
    """How a run uses results: ``cache`` and ``refresh`` are as in a local run.

    ``runs`` are those that it goes on from, by the ids of their records, latest first. ``given``
    are tasks whose results those of ``given_by`` are, whatever changed.
    """

    cache: bool | None = None
    refresh: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    given_by: tuple[str, ...] = ()

    def keeps(self, task: Task) -> bool:
        """Whether the results of a task are kept for all runs to come."""
        asked = task.options.cache
        return asked is not False if self.cache else bool(asked)


class Recallings:
    """Makes those of the tasks of one compilation.

    ``types`` are those that the pipeline's parameters are converted to, None for plain ones.
    ``shared`` are the slots of what loops go over.
    """

    def __init__(
        self,
        plan: Plan,
        code: Code,
        templates: Mapping[str, TaskSpec],
        types: Mapping[str, Any],
        shared: list[Slot],
        reuse: Reuse,
    ) -> None:
        self._tasks = [one for one in plan.tasks if not isinstance(one.step, ContainerDef)]
        self._code = code
        self._reuse = reuse
        self._keys = TaskKeys(plan, code, templates, types, shared, version=lambda _: "")

    def keys(self) -> dict[str, TaskKey]:
        """The keys as people are shown them: each part by its name, those of the pods empty."""
        return {
            task.id: replace(key, parts={**self._shown(key.parts), **self._image(task)})
            for task in self._tasks
            if (key := self._keys.get(task.id)) is not None
        }

    def _shown(self, parts: Mapping[str, str]) -> dict[str, str]:
        return {name: "" if self._varies(name) else text for name, text in parts.items()}

    @staticmethod
    def _image(task: Task) -> dict[str, str]:
        return {"image": task.options.image} if task.options.image else {}

    def of(self, task: Task) -> Recalling:
        """That of a task."""
        reuse = self._reuse
        if task.id in reuse.given:
            return {"key": None, "kept": False, "taken": False, "runs": list(reuse.given_by)}
        key, kept = self._key(task), reuse.keeps(task)
        fresh = not {task.id, task.step.name}.isdisjoint(reuse.refresh)
        return {
            "key": key,
            "kept": kept,
            "taken": kept and not fresh and reuse.cache is not False,
            "runs": [] if fresh or key is None else list(reuse.runs),
        }

    def _key(self, task: Task) -> dict[str, Any] | None:
        """The fields of its key: all that is the same in every pod as one digest."""
        key = self._keys.get(task.id)
        if key is None:
            return None
        image = task.options.image or ""
        fixed = [f"{name}\0{text}" for name, text in key.parts.items() if not self._varies(name)]
        constants = (self._code.fingerprint(name).parts for name in key.constants)
        names = {*key.parts, *(name for parts in constants for name in parts)}
        return {
            "parts": {"fixed": digest([*fixed, image]), **dict.fromkeys(self._varying(names), "")},
            "lineage": key.lineage,
            "constants": dict(key.constants),
            "first": key.first,
        }

    def _varying(self, names: set[str]) -> Iterator[str]:
        return (name for name in sorted(names) if self._varies(name))

    def _varies(self, part: str) -> bool:
        """Whether only the pod knows it; files that travel with the code are known here."""
        kind, _, name = part.partition(" ")
        return kind == "package" or (kind == "file" and name not in self._code.data.travel)


def recall_notes(plan: Plan, reuse: Reuse, *, lasts: bool, carries: bool) -> Iterator[str]:
    """What might surprise of results that are kept.

    ``lasts``: they are on a volume that outlives the run; ``carries``: they are on no volume.
    """
    tasks = [task for task in plan.tasks if not isinstance(task.step, ContainerDef)]
    if not lasts and any(reuse.keeps(task) for task in tasks):
        where = (
            "no result is kept, for the values travel as artifacts"
            if carries
            else "results are kept on the marshal volume, which goes with the run"
        )
        keeps = "marshal_volume=NAME of a claim that stays keeps them for other runs"
        yield f"cache: {where}; {keeps}"
