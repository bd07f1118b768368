"""Which tasks of a lowered plan share a pod. Pure.

A pod of Kubeflow Pipelines costs seconds whatever it does, so steps that need the same pod share
one. A shared pod is a block of the plan, `SharedPod`, that KFP sees as one task: it starts when all
that its tasks need from outside is there, and what comes after one of them waits for all. So a
task joins a pod only if nothing in that is delayed: what the task waits for is in it, or before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from kalelite.backends.kubeflow.compile.lower import Lowered
from kalelite.backends.kubeflow.compile.tolerance import Tolerance
from kalelite.errors import PipelineError, Problem
from kalelite.executor import container_io
from kalelite.frozen import frozen, mutable
from kalelite.plan.graph import (
    Batches,
    Block,
    Constant,
    ContainerDef,
    ExitScope,
    Expr,
    Loop,
    OnePod,
    OutputRef,
    SharedPod,
    Task,
    at_line,
)
from kalelite.plan.names import unique
from kalelite.plan.order import ROOT, Scopes

_OWN = {"name", "display_name", "retries", "timeout", "cache", "ignore_failures"}
"""Options that a step keeps in a shared pod; all others are of the pod itself."""

_SHARES = ("cpu", "cpu_limit", "memory", "memory_limit", "gpu")
"""Options that promise a step a part of a machine: in one pod, such steps run one after the other."""


_KINDS = {
    Batches: "per_pod= says what its pods are",
    ExitScope: "its exit handler has to run though the pod of its body is lost",
}
"""Blocks that share no pod with anything, and why."""


@frozen
class _Unit:
    """A task or a whole block. ``shape`` are the options of its pod, None if any will do.

    ``obstacle`` is why it cannot share a pod, empty if it can.
    """

    shape: Mapping[str, Any] | None = None
    obstacle: str = ""


def promised(options: Mapping[str, Any]) -> str:
    """What part of a machine a step was promised by the options that it gives, as a phrase."""
    return ", ".join(f"{name}={options[name]!r}" for name in _SHARES if options.get(name))


@mutable
class _Pod:
    """A pod while it is filled.

    ``waits`` are the numbers of the pods that its first task waits for, ``before`` those that have
    ended by then.
    """

    unit: _Unit
    waits: frozenset[int]
    before: frozenset[int]
    ids: list[str] = field(default_factory=list)


def share_pods(lowered: Lowered) -> Lowered:
    """The plan with its shared pods as blocks, and why they are not fewer."""
    sharing = _Sharing(lowered)
    sharing.scope(ROOT)
    plan, parents = lowered.plan, sharing.parents
    tasks = tuple(replace(task, parent=parents.get(task.id, task.parent)) for task in plan.tasks)
    blocks = [replace(block, parent=parents.get(block.id, block.parent)) for block in plan.blocks]
    plan = replace(plan, tasks=tasks, blocks=(*blocks, *sharing.pods))
    return replace(lowered, plan=plan, borders=sharing.borders)


def requested_pods(lowered: Lowered, *, few: bool = False) -> Lowered:
    """The plan with each ``Together`` in a pod, and each loop with ``per_pod`` in one for a batch.

    Where pods are to be ``few``, `share_pods` puts what is together into one. Raises
    `PipelineError` where steps cannot share a pod.
    """
    sharing = _Sharing(lowered)
    pods = [block for block in lowered.plan.blocks if _is_pod(block)]
    problems = [problem for block in pods for problem in sharing.problems(block)]
    if problems:
        raise PipelineError(*problems)
    scopes = Scopes(lowered.plan)
    taken = {*scopes.items}
    added: list[Block] = []
    parents: dict[str, str] = {}
    for block in pods:
        is_inside = any(_is_pod(scopes.blocks[id]) for id in scopes.around(block.id))
        if is_inside or (few and isinstance(block, OnePod)):
            continue
        parent = block.parent
        if isinstance(block, Loop):
            parent = unique(f"{block.id}-batches", taken)
            numbers: Expr = block.items
            if isinstance(numbers, Constant):
                numbers = Constant(tuple(range(-(-len(numbers.value) // (block.per_pod or 1)))))
            added.append(Batches(parent, block.parent, block.where, numbers, block.id))
        parents[block.id] = unique(f"{block.id}-pod", taken)
        added.append(SharedPod(parents[block.id], parent, block.where))
    blocks = [replace(b, parent=parents.get(b.id, b.parent)) for b in lowered.plan.blocks]
    return replace(lowered, plan=replace(lowered.plan, blocks=(*blocks, *added)))


def _is_pod(block: Block) -> bool:
    """Whether the user has asked for a pod for a block, or for some of its items."""
    return isinstance(block, OnePod) or (isinstance(block, Loop) and block.per_pod is not None)


class _Sharing:
    """Goes through the scopes. ``parents`` are the new parents of what shares a pod."""

    def __init__(self, lowered: Lowered) -> None:
        self._lowered = lowered
        self._scopes = Scopes(lowered.plan)
        tolerance = Tolerance(self._scopes)
        self._alone = tolerance.hidden | tolerance.affected | {lowered.verdict}
        self._taken = {*self._scopes.items}
        self.pods: list[SharedPod] = []
        self.parents: dict[str, str] = {}
        self.borders: dict[str, str] = {}

    def scope(self, block: str) -> None:
        """Share pods among what stands in a block, and in those of its blocks that share none."""
        scopes = self._scopes
        children = scopes.children[block]
        if isinstance(scopes.blocks.get(block), Batches):
            return
        if scopes.is_switch(block):
            for branch in children:
                self.scope(branch)
            return
        units = {id: self._unit(id) for id in children}
        filling = _ScopePods(children, scopes.waits, units)
        while filling.fill() and (lone := self._skips_more(filling)):
            reason = "what comes after it is in another pod, and is skipped where it is"
            units[lone] = _Unit(obstacle=reason)
        self.borders |= filling.borders
        for pod in filling.pods:
            is_alone = len(pod.ids) == 1 and (pod.ids[0] in scopes.tasks or pod.unit.obstacle)
            if is_alone:
                for id in pod.ids:
                    if id in scopes.blocks:
                        self.scope(id)
                continue
            id = unique(f"{pod.ids[0]}-pod", self._taken)
            self._taken.add(id)
            self.parents.update(dict.fromkeys(pod.ids, id))
            where = scopes.items[pod.ids[0]].where
            self.pods.append(SharedPod(id, block, where))

    def _skips_more(self, filling: _ScopePods) -> str:
        """An ``If`` whose pod would end well where it is skipped, so that others could not know."""
        for pod in filling.pods:
            for id in pod.ids:
                is_lone = self._scopes.is_switch(id) and len(self._scopes.children[id]) == 1
                if is_lone and not pod.unit.obstacle and filling.after(id) - {*pod.ids}:
                    return id
        return ""

    def _unit(self, id: str) -> _Unit:
        scopes = self._scopes
        if id in scopes.handlers:
            return _Unit(obstacle="an exit handler has to run though the pod of its body is lost")
        item = scopes.items[id]
        if isinstance(item, Task):
            return self._unit_of(item)
        blocks = [block for block in (item, *scopes.below(id)) if isinstance(block, Block)]
        reasons = [_KINDS[type(block)] for block in blocks if type(block) in _KINDS]
        if reasons:
            return _Unit(obstacle=reasons[0])
        found = [self._unit_of(task) for task in scopes.tasks_of(id)]
        obstacle = next((unit.obstacle for unit in found if unit.obstacle), "")
        shapes = [unit.shape for unit in found if unit.shape is not None]
        unit = _Unit(shapes[0] if shapes else None, obstacle)
        if not obstacle and any(shape != shapes[0] for shape in shapes):
            return _Unit(obstacle="its steps need different pods")
        share = promised(unit.shape or {})
        is_wide = any(isinstance(block, Loop) for block in blocks)
        if not obstacle and share and is_wide and not isinstance(item, OnePod):
            return _Unit(obstacle=f"its items run at once, each with {share}")
        return unit

    def problems(self, block: Block) -> Iterator[Problem]:
        """Why a block, or some items of a loop, cannot have the pod that is asked for."""
        what, leave = "Together", "Move the call out of the block."
        if isinstance(block, Loop):
            what, leave = f"per_pod={block.per_pod}", "Leave per_pod out."
            around = [self._scopes.blocks[id] for id in self._scopes.around(block.id)]
            outer = next(filter(_is_pod, around), None)
            if outer is not None:
                message = f"{what}: the loop stands in a block{at_line(outer)} that is in one pod"
                yield Problem(message, leave, block.where)
            every = [each for each in self._lowered.plan.blocks if isinstance(each, Loop)]
            same = {each.per_pod for each in every if each.items == block.items}
            if isinstance(block.items, OutputRef) and same - {None, block.per_pod}:
                message = f"{what}: another loop over the same list has another per_pod"
                yield Problem(message, leave, block.where)
        first, shape = "", None
        for task in self._scopes.tasks_of(block.id):
            unit = self._unit_of(task)
            reason = unit.obstacle
            if not first and unit.shape is not None:
                first, shape = task.id, unit.shape
            if not reason and None not in (unit.shape, shape) and unit.shape != shape:
                reason = f"{_difference(unit.shape or {}, shape or {})} than {first}"
            if reason:
                message = f"{what}{at_line(block)}: {task.id} cannot share the pod: {reason}"
                yield Problem(message, leave, task.where)

    def _unit_of(self, task: Task) -> _Unit:
        if isinstance(task.step, ContainerDef):
            return _Unit(obstacle="it is a container")
        if task.step.function.__module__ == container_io.__name__:
            return _Unit(obstacle="it hands a file from or to a container")
        if task.id in self._alone:
            return _Unit(obstacle="something runs though it fails, or is lost with its pod")
        if task.id in self._lowered.added:
            return _Unit()
        given = task.options.explicit().items()
        return _Unit({name: value for name, value in given if name not in _OWN})


class _ScopePods:
    """Fills the pods of one scope with its units, in an order in which they can run."""

    def __init__(
        self, ids: Sequence[str], waits: Mapping[str, Iterable[str]], units: Mapping[str, _Unit]
    ) -> None:
        self._units = units
        self._waits = waits
        self._before: dict[str, set[str]] = {}
        self._apart: set[tuple[str, str]] = set()
        for id in ids:
            self._before[id] = {*waits[id]}.union(*(self._before[other] for other in waits[id]))
        self.pods: list[_Pod] = []
        self.borders: dict[str, str] = {}

    def after(self, id: str) -> set[str]:
        """All that waits for it."""
        return {other for other, before in self._before.items() if id in before}

    def fill(self) -> bool:
        """Fill the pods so that what comes after a pod needs all that is in it."""
        while True:
            self._fill()
            found = self._not_needed()
            if not found:
                return True
            self._apart |= found

    def _fill(self) -> None:
        self.pods, self.borders = [], {}
        of: dict[str, int] = {}
        for id, unit in self._units.items():
            waits = frozenset(of[other] for other in self._waits[id])
            number, reason = self._place(id, unit, waits)
            of[id] = number
            if number < len(self.pods):
                pod = self.pods[number]
                pod.ids.append(id)
                pod.unit = pod.unit if pod.unit.shape is not None else unit
                continue
            if reason:
                self.borders[id] = reason
            before = waits.union(*(self.pods[other].before for other in waits))
            self.pods.append(_Pod(unit, waits, before, [id]))

    def _place(self, id: str, unit: _Unit, waits: frozenset[int]) -> tuple[int, str]:
        """The pod for a unit, and why it is a new one."""
        if unit.obstacle:
            return len(self.pods), unit.obstacle
        reason = ""
        for number, pod in reversed([*enumerate(self.pods)]):
            if number not in waits and waits != pod.waits:
                continue
            found = self._reason(id, unit, waits - {number}, pod)
            if not found:
                return number, ""
            reason = reason or (found if not pod.unit.obstacle else "")
        return len(self.pods), reason

    def _reason(self, id: str, unit: _Unit, others: frozenset[int], pod: _Pod) -> str:
        """Why a unit does not join a pod; ``others`` are what it waits for besides."""
        first = pod.ids[0]
        if pod.unit.obstacle:
            return pod.unit.obstacle
        if None not in (unit.shape, pod.unit.shape) and unit.shape != pod.unit.shape:
            return f"{_difference(unit.shape or {}, pod.unit.shape or {})} than {first}"
        late = sorted(others - pod.before)
        if late:
            return f"it also waits for {self.pods[late[0]].ids[-1]}, which {first} does not"
        apart = [other for other in pod.ids if {(id, other), (other, id)} & self._apart]
        if apart:
            return f"what follows {apart[0]} in another pod does not wait for it"
        beside = [other for other in pod.ids if other not in self._before[id]]
        beside = [other for other in beside if self._units[other].shape is not None]
        share = promised(unit.shape or {})
        if share and beside:
            return f"it runs beside {beside[0]}, and each was given {share}"
        return ""

    def _not_needed(self) -> set[tuple[str, str]]:
        """Pairs in one pod of which something outside needs the second, and not the first."""
        found = set()
        for pod in self.pods:
            if len(pod.ids) == 1:
                continue
            inside = {*pod.ids}
            for id, before in self._before.items():
                if id not in inside and not inside.isdisjoint(before):
                    found |= {(one, other) for one in inside - before for other in inside & before}
        return found


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """In which options two pods differ, as a phrase."""
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return f"it needs other {', '.join(names)}"
