"""Steps that run although others have failed, on a KFP that knows nothing of them.

KFP's own "all upstream completed" runs a task once for each task that it waits for, when that has
ended, and nothing may wait for it. So KFP is not told of failures that a step tolerates: what
stands before such a step is *hidden*, it ends well for KFP whatever happens, and writes into its
record what did. What comes after it reads the records, and runs or does not as in a local run. At
the end, one task tells KFP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kalelite.backends.kubeflow.pod.contract import Need
from kalelite.errors import Problem
from kalelite.plan.graph import Branch, ContainerDef, Plan, Task
from kalelite.plan.order import Scopes


class Tolerance:
    """What a plan tolerates.

    Attributes
    ----------
    hidden
        Tasks of whose failures KFP is not told.
    affected
        Tasks that have to ask the records whether they may run.
    lone
        An ``If`` without ``Else`` that is waited for: KFP runs nothing after it where it is not
        taken, so it needs an ``Else``.
    """

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self._tolerant = {
            id
            for id, task in scopes.tasks.items()
            if task.options.ignore_failures and id not in scopes.handlers
        }
        before = self._closure(self._tolerant, scopes.waits)
        self.hidden = {task.id for id in before for task in scopes.tasks_of(id)}
        inside = {block for id in self.hidden | self._tolerant for block in scopes.around(id)}
        self.lone = {
            id
            for id in (before | inside) & set(scopes.blocks)
            if scopes.is_switch(id) and len(scopes.children[id]) == 1 and self.hidden
        }
        after = (
            self._closure({*before, *inside, *self.lone}, scopes.users) if self.hidden else set()
        )
        found = {task.id for id in after for task in scopes.tasks_of(id)}
        self.affected = found | self.hidden

    def _closure(self, start: set[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
        """What is reached from some ids, without them unless they are reached, too."""
        found: set[str] = set()
        queue = list(start)
        while queue:
            for other in edges[queue.pop()]:
                if other not in found:
                    found.add(other)
                    queue.append(other)
        return found

    @property
    def roots(self) -> tuple[str, ...]:
        """What of the pipeline itself has to end before KFP can be told of all failures."""
        ids = (*self.hidden, *self._tolerant)
        return tuple(dict.fromkeys((*self._scopes.around(id), id)[0] for id in sorted(ids)))

    def needs(self, task: Task, elses: Mapping[str, str]) -> list[Need]:
        """What a task has to ask the records about; ``elses`` is the task in each added ``Else``."""
        scopes = self._scopes
        # A handler runs where its scope does; a tolerant task asks for the blocks around it only.
        own = () if task.id in self._tolerant else (scopes.handlers.get(task.id, task.id),)
        waiting = (*own, *scopes.around(task.id))
        needs: list[Need] = []
        for id in waiting:
            for other in scopes.waits[id]:
                shared = len(scopes.loops[other])
                if other in elses:
                    needs.append({"task": elses[other], "shared": shared, "skips": True})
                needs += [
                    {"task": inner.id, "shared": shared, "skips": False}
                    for inner in scopes.tasks_of(other)
                    if inner.id in self.affected and inner.id not in elses.values()
                ]
        return needs


def tolerance_problems(plan: Plan) -> Iterator[Problem]:
    """Containers cannot ask the records, nor hide that they have failed."""
    scopes = Scopes(plan)
    tolerance = Tolerance(scopes)
    for id, task in scopes.tasks.items():
        if isinstance(task.step, ContainerDef) and id in tolerance.affected:
            if task.options.ignore_failures and id not in tolerance.hidden:
                continue
            yield Problem(
                f"container step {task.step.name!r} stands "
                f"{'before' if id in tolerance.hidden else 'after'} a step that ignores failures: "
                "on Kubeflow Pipelines only Python steps can",
                "Make it a Python step, or use ExitHandler for what has to run at the end.",
                task.where,
            )


def with_elses(plan: Plan, lone: set[str]) -> Iterator[Branch]:
    """An ``Else`` for each ``If`` that needs one."""
    for block in plan.blocks:
        if block.id in lone:
            yield Branch(f"{block.id}-else", block.id, block.where)
