"""What a shared pod needs to order its tasks: a plan of its own, and a manifest.

The plan holds no arguments: each task finds its values as in a pod of its own. It has what a
schedule reads: who waits for whom, the conditions, and the items of loops.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.artifact_routes import Routes
from kalelite.backends.kubeflow.compile.pod_sharing import promised
from kalelite.backends.kubeflow.compile.ports import Wire, Wiring
from kalelite.plan import graph
from kalelite.plan.order import ROOT

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import PodManifest

_NO_STEP = graph.ContainerDef("", "")
"""A schedule reads nothing of it."""


def pod_manifests(wiring: Wiring) -> Mapping[str, PodManifest]:
    """The manifest of each shared pod, by its id."""
    gives = Routes(wiring).gives if wiring.lowered.carries else {}
    return {pod.id: _manifest(pod, wiring, gives.get(pod.id, [])) for pod in _pods(wiring)}


def pod_plans(wiring: Wiring) -> Mapping[str, bytes]:
    """The plan of each shared pod, pickled, by its id."""
    return {pod.id: pickle.dumps(_PodPlan(pod, wiring).plan(), protocol=5) for pod in _pods(wiring)}


def _pods(wiring: Wiring) -> Iterator[graph.SharedPod]:
    return (block for block in wiring.lowered.plan.blocks if isinstance(block, graph.SharedPod))


def _manifest(pod: graph.SharedPod, wiring: Wiring, gives: list[str]) -> PodManifest:
    names = wiring.in_pod(pod.id).names
    loops = [block.id for block in wiring.scopes.below(pod.id) if isinstance(block, graph.Loop)]
    items = {loop: names[wire] for loop in loops if (wire := Wire("item", (loop,))) in names}
    serial = any(promised(task.options.explicit()) for task in wiring.scopes.tasks_of(pod.id))
    manifest: PodManifest = {
        "depth": len(wiring.scopes.loops[pod.id]),
        "items": items,
        "serial": serial,
        "gives": gives,
    }
    batches = wiring.scopes.blocks.get(pod.parent)
    if isinstance(batches, graph.Batches):
        loop = wiring.scopes.blocks[batches.loop]
        assert isinstance(loop, graph.Loop)
        manifest["batch"] = (loop.id, loop.per_pod or 1)
    return manifest


class _PodPlan:
    """The plan of a pod: expressions read what KFP brings as parameters, under their names there."""

    def __init__(self, pod: graph.SharedPod, wiring: Wiring) -> None:
        self._pod = pod
        self._wiring = wiring
        self._names = wiring.in_pod(pod.id).names
        self._below = list(wiring.scopes.below(pod.id))
        self._inside = {item.id for item in self._below}

    def plan(self) -> graph.Plan:
        tasks = tuple(self._task(item) for item in self._below if isinstance(item, graph.Task))
        blocks = tuple(self._block(item) for item in self._below if isinstance(item, graph.Block))
        return graph.Plan(self._pod.id, tasks, blocks)

    def _task(self, task: graph.Task) -> graph.Task:
        sources = (source for expr in task.arguments.values() for source in expr.sources())
        after = tuple(dict.fromkeys(id for id in (*sources, *task.after) if id in self._inside))
        return graph.Task(task.id, _NO_STEP, {}, (), after=after, parent=self._parent(task))

    def _block(self, block: graph.Block) -> graph.Block:
        block = replace(block, parent=self._parent(block))
        if isinstance(block, graph.Branch) and block.condition is not None:
            return replace(block, condition=self._condition(block.condition))
        if isinstance(block, graph.Loop) and not isinstance(block.items, graph.Constant):
            return replace(block, items=self._value(self._wiring.items(block.items)))
        return block

    def _parent(self, item: graph.Task | graph.Block) -> str:
        return ROOT if item.parent == self._pod.id else item.parent

    def _condition(self, expr: graph.Expr) -> graph.Expr:
        if isinstance(expr, graph.Compare):
            left, right = self._condition(expr.left), self._condition(expr.right)
            return replace(expr, left=left, right=right)
        if isinstance(expr, graph.Constant):
            return expr
        return self._value(self._wiring.read(expr))

    def _value(self, wire: Wire) -> graph.Expr:
        if wire.kind == "item" and wire.ids[0] in self._inside:
            return graph.ItemRef(wire.ids[0])
        if wire.kind == "output" and wire.ids[0] in self._inside:
            return graph.OutputRef(wire.ids[0], self._names[wire])
        return graph.ParameterRef(self._names[wire])
