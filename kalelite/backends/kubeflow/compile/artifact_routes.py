"""Which artifacts go from which task to which, where values travel as artifacts of KFP.

Each pod of ours leaves its records and values in an artifact, and takes those of the tasks that it
reads. The way of an artifact leads through all blocks between the two. What KFP 2.17 does with
artifacts shapes it (backend/src/v2, driver/resolve.go and metadata/client.go):

- the driver that collects from a loop looks for one name in all branches of all items: so an
  artifact keeps its name on its whole way, also where it comes from one of several branches;
- it fails where the branch that an artifact comes from was not taken: so in each other branch
  something *stands in* for it, under its name and without a value;
- of a list it hands the last one only to a block: so lists are taken beside the loop alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.tolerance import Tolerance
from kalelite.backends.kubeflow.pod.run_home import KEPT
from kalelite.errors import PipelineError, Problem
from kalelite.humanize import count
from kalelite.plan import graph
from kalelite.plan.names import slug, unique

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.ports import Wiring

MOST_COLLECTED = 200
"""Artifacts that a pod can be told of: they stand in one argument, which has 128 KiB."""

_ON_A_VOLUME = "Or let the values travel on a volume: leave marshal='artifacts' out."

_Units = tuple[str, ...]
"""Tasks and shared pods, one of which gives what is read: several for a choice of branches."""


class Routes:
    """The ways of all artifacts of a lowered plan.

    Attributes
    ----------
    gives
        For each task and shared pod the artifacts that hold its values.
    offers
        For each task and block the artifacts that come out of it, with what they come from inside.
    takes
        For each task and block the artifacts that go into it, with what beside it they come from;
        empty for those that went into the block around it.
    lists
        The tasks and blocks with those of their artifacts that are lists.
    """

    def __init__(self, wiring: Wiring, code: str = "", source: str = "") -> None:
        """``code`` is an artifact that every pod takes, from the task ``source``."""
        self._wiring = wiring
        self._scopes = wiring.scopes
        self.gives: dict[str, list[str]] = defaultdict(list)
        self.offers: dict[str, dict[str, _Units]] = defaultdict(dict)
        self.takes: dict[str, dict[str, str]] = defaultdict(dict)
        self.lists: set[tuple[str, str]] = set()
        self._names: dict[_Units, str] = {}
        self._tolerance = Tolerance(self._scopes)
        if code:
            self.offers[source][code] = ()
        for handler, scope in self._scopes.handlers.items():
            self._check_handler(handler, scope)
        for task in self._own():
            unit = self._unit(task.id)
            if code:
                self._enter(self._way(unit), code, source)
            for ids in self._read(task):
                units = tuple(dict.fromkeys(map(self._unit, ids)))
                if unit not in units:
                    self._lead(task, unit, units)
        for task in self._own(handlers=True):
            if not self.gives[self._unit(task.id)]:
                self._offer(self._unit(task.id), self._name((self._unit(task.id),)), ())

    def cost(self) -> str:
        """What it costs that values travel so."""
        given = sum(map(len, self.gives.values()))
        taken = sum(name.startswith(KEPT) for id in self.gives for name in self.takes[id])
        return (
            f"as artifacts, all that a step returns together: {count(given, 'upload')} to the "
            f"object store of Kubeflow Pipelines, {count(taken, 'download')}, in loops once for "
            "each item; a pod has disk for what it takes and gives"
        )

    def connect(self, spec: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Write the artifacts into KFP's representation of the pipeline.

        kfp itself lets none out of an exit handler's block, and collects by other names than its
        back end then looks for. ``names`` are kfp's, by the ids of the plan.
        """
        for id, offered in self.offers.items():
            _, component = self._node(spec, names, id)
            for name, inside in offered.items():
                self._define(component, "outputDefinitions", id, name)
                if inside:
                    outputs = component["dag"].setdefault("outputs", {}).setdefault("artifacts", {})
                    outputs[name] = {
                        "artifactSelectors": [
                            {"producerSubtask": names[each], "outputArtifactKey": name}
                            for each in inside
                        ]
                    }
        for id, taken in self.takes.items():
            task, component = self._node(spec, names, id)
            artifacts = task.setdefault("inputs", {}).setdefault("artifacts", {})
            for name, source in taken.items():
                self._define(component, "inputDefinitions", id, name)
                artifacts[name] = {"componentInputArtifact": name}
                if source:
                    output = {"producerTask": names[source], "outputArtifactKey": name}
                    artifacts[name] = {"taskOutputArtifact": output}
                    waits = {*task.get("dependentTasks", ()), names[source]}
                    task["dependentTasks"] = sorted(waits)

    def _node(
        self, spec: Mapping[str, Any], names: Mapping[str, str], id: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The entry of a task or block in the graph around it, and its component."""
        component = spec["root"]
        for each in self._way(id):
            task = component["dag"]["tasks"][names[each]]
            component = spec["components"][task["componentRef"]["name"]]
        return task, component

    def _define(self, component: dict[str, Any], side: str, id: str, name: str) -> None:
        """Let a component have an artifact of this name."""
        definition: dict[str, Any] = {
            "artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
        }
        if (id, name) in self.lists:
            definition["isArtifactList"] = True
        component.setdefault(side, {}).setdefault("artifacts", {})[name] = definition

    def _own(self, *, handlers: bool = False) -> Iterator[graph.Task]:
        """The Python tasks."""
        for task in self._scopes.tasks.values():
            is_own = isinstance(task.step, graph.StepDef)
            if is_own and (handlers or task.id not in self._scopes.handlers):
                yield task

    def _unit(self, id: str) -> str:
        return self._wiring.pods.get(id, id)

    def _read(self, task: graph.Task) -> Iterator[_Units]:
        """The tasks whose records a task reads."""
        lowered = self._wiring.lowered
        for expr in task.arguments.values():
            yield from self._sources(expr)
        if task.id in self._tolerance.affected:
            for need in self._tolerance.needs(task, lowered.elses):
                yield (need["task"],)
        if task.id == lowered.verdict:
            yield from ((id,) for id in sorted(self._tolerance.hidden))

    def _sources(self, expr: graph.Expr) -> Iterator[_Units]:
        match expr:
            case graph.OneOf():
                yield tuple(ref.task for ref in expr.outputs())
            case graph.Collected(source, loops):
                yield (source.task,)
                for loop in loops:
                    yield from self._items(loop)
            case graph.ItemRef(loop):
                if self._wiring.item(loop)[1] == "slot":
                    yield from self._items(loop)
            case graph.OutputRef(task):
                is_own = isinstance(self._scopes.tasks[task].step, graph.StepDef)
                if is_own and task not in self._wiring.lowered.writers:
                    yield (task,)
            case _:
                for child in expr.children():
                    yield from self._sources(child)

    def _items(self, loop: str) -> Iterator[_Units]:
        block = self._scopes.blocks[loop]
        assert isinstance(block, graph.Loop)
        yield from ((ref.task,) for ref in block.items.outputs())

    # --- ways ----------------------------------------------------------------------------------

    def _lead(self, task: graph.Task, unit: str, units: _Units) -> None:
        """Lead an artifact of one of these into a task or shared pod."""
        name = self._name(units)
        into, out = self._way(unit), self._way(units[0])
        depth = next(n for n, pair in enumerate(zip(into, out, strict=False)) if len({*pair}) > 1)
        loops = [each for each in out[depth:] if self._is_loop(each)]
        if loops:
            self._check_list(task, loops, beside=len(into) == depth + 1)
            self.lists.add((unit, name))
        self._offer(out[depth], name, units)
        self._enter(into[depth:], name, out[depth])

    def _check_list(self, task: graph.Task, loops: list[str], *, beside: bool) -> None:
        """Raise `PipelineError` if KFP cannot collect for a task what these loops leave."""
        blocks = [self._scopes.blocks[loop] for loop in loops]
        known = [
            len(items.value)
            for block in blocks
            if isinstance(items := _items_of(block), graph.Constant)
        ]
        if not beside:
            raise PipelineError(
                Problem(
                    f"step {task.step.name!r} stands in a block and asks how the items of a loop "
                    "outside of it went: KFP gives no list of artifacts to a block",
                    f"Call it beside the loop. {_ON_A_VOLUME}",
                    task.where,
                )
            )
        if prod(known) > MOST_COLLECTED:
            raise PipelineError(
                Problem(
                    f"step {task.step.name!r} takes the artifacts of {prod(known)} pods; KFP passes "
                    f"on about {MOST_COLLECTED}",
                    f"Put items together, ParallelFor(…, per_pod=…). {_ON_A_VOLUME}",
                    task.where,
                )
            )

    def _check_handler(self, handler: str, scope: str) -> None:
        """Raise `PipelineError` if an exit handler depends on records: it takes no artifact."""
        inside = {task.id for task in self._scopes.tasks_of(scope)}
        if handler in self._tolerance.affected or inside & self._tolerance.hidden:
            task = self._scopes.tasks[handler]
            raise PipelineError(
                Problem(
                    f"the exit handler {task.step.name!r} and ignore_failures: KFP gives a handler "
                    "no artifact, so it cannot know what became of the steps",
                    f"Leave ignore_failures out. {_ON_A_VOLUME}",
                    task.where,
                )
            )

    def _enter(self, way: _Units, name: str, source: str) -> None:
        for id in way:
            self.takes[id].setdefault(name, source)
            source = ""

    def _offer(self, id: str, name: str, units: _Units) -> None:
        """Let an artifact come out of a task or block."""
        if name in self.offers[id]:
            return
        inside: list[str] = []
        if self._is_unit(id):
            if id in units or not units:
                self.gives[id].append(name)
        elif self._scopes.is_switch(id) and not self._is_lone(id):
            inside = list(self._scopes.children[id])
        else:
            inside = [way[way.index(id) + 1] for way in map(self._way, units) if id in way][:1]
            inside = inside or [next(filter(self._is_unit, self._children(id)))]
        self.offers[id][name] = tuple(inside)
        if self._is_loop(id):
            self.lists.add((id, name))
        for each in inside:
            self._offer(each, name, units)

    def _name(self, units: _Units) -> str:
        if units not in self._names:
            # Short, for it is in the names of objects, and some stores take no long ones.
            text = KEPT + slug(units[0])[:12].strip("-")
            self._names[units] = unique(text, self._names.values())
        return self._names[units]

    def _way(self, id: str) -> _Units:
        """The blocks around a task or block, and itself, as they are graphs of KFP."""
        return tuple(
            each
            for each in (*self._scopes.around(id), id)
            if not (self._is_lone(self._scopes.parent(each)))
        )

    def _children(self, id: str) -> _Units:
        inner = self._scopes.children[id]
        return self._scopes.children[inner[0]] if self._is_lone(id) else inner

    def _is_lone(self, id: str) -> bool:
        """Whether it is an ``If`` without more, which is one block for KFP."""
        return self._scopes.is_switch(id) and len(self._scopes.children[id]) == 1

    def _is_unit(self, id: str) -> bool:
        item = self._scopes.items[id]
        if isinstance(item, graph.Task):
            return isinstance(item.step, graph.StepDef)
        return isinstance(item, graph.SharedPod)

    def _is_loop(self, id: str) -> bool:
        return isinstance(self._scopes.items[id], graph.Loop | graph.Batches)


def _items_of(block: graph.Block) -> graph.Expr | None:
    """What a loop of KFP goes over."""
    if isinstance(block, graph.Batches):
        return block.numbers
    return block.items if isinstance(block, graph.Loop) else None
