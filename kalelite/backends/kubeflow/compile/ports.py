"""The inputs and outputs of each task as KFP parameters, and the wires between them.

Values stay in the store, and steps find them by the records of the steps that left them. Through
KFP travels only what it reads itself: pipeline parameters, loop items, the values of container
steps, and the primitive results that conditions, loops and the KFP UI look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal

from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.compile.lower import Lowered
from kalelite.backends.kubeflow.compile.native_values import FILE, element_type, native_type
from kalelite.backends.kubeflow.pod.contract import Form, Reading
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.frozen import frozen
from kalelite.plan import graph
from kalelite.plan.order import Scopes

TEXTS = "texts"
"""The KFP type of a list of texts: the items of a loop as JSON."""

Outputs = Mapping[tuple[str, Form], tuple[str, str]]


@frozen
class Wire:
    """Where a parameter comes from.

    ``kind`` is "own" for the file that the task itself is to write. ``ids`` are the ids that it
    needs: of an output the task and the port. The type follows from these.
    """

    kind: Literal["parameter", "output", "item", "status", "own"]
    ids: tuple[str, ...]
    type: str = field(default="", compare=False)


@frozen
class Port:
    """An input of a task: its name, where it comes from, and how the pod reads it.

    ``symbol`` is what the task's template calls it.
    """

    name: str
    wire: Wire
    reading: Reading
    symbol: tuple[Any, ...] = ()


@frozen
class PodWires:
    """The wires of a shared pod, with their names in it; ``inputs`` and ``outputs`` cross its border."""

    names: Mapping[Wire, str]
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]


class Wiring:
    """Ports and wires of a lowered plan.

    ``pods`` has the shared pod of what is in one, ``batches`` the loops over batches of items.
    """

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.scopes = Scopes(lowered.plan)
        self.tasks = self.scopes.tasks
        self.parameters = {parameter.name: parameter for parameter in lowered.plan.parameters}
        self._looped = {
            (block.items.task, block.items.output)
            for block in lowered.plan.blocks
            if isinstance(block, graph.Loop) and isinstance(block.items, graph.OutputRef)
        }
        blocks = lowered.plan.blocks
        self.batches = {block.id for block in blocks if isinstance(block, graph.Batches)}
        self.batched = {
            (block.numbers.task, block.numbers.output): self._size(block)
            for block in lowered.plan.blocks
            if isinstance(block, graph.Batches) and isinstance(block.numbers, graph.OutputRef)
        }
        self._outputs = {id: self._outputs_of(task) for id, task in self.tasks.items()}
        self.pods = {
            item.id: block.id
            for block in lowered.plan.blocks
            if isinstance(block, graph.SharedPod)
            for item in self.scopes.below(block.id)
        }
        self._in_pods: dict[str, PodWires] = {}

    def inputs(self, task: graph.Task) -> list[Port]:
        """What KFP brings to a task: one for each different thing that its arguments refer to.

        To a task in a shared pod it is brought under the name that it has in the pod.
        """
        ports = self._inputs(task)
        if task.id in self.pods:
            names = self.in_pod(self.pods[task.id]).names
            ports = [replace(port, name=names[port.wire]) for port in ports]
        return ports

    def _inputs(self, task: graph.Task) -> list[Port]:
        if isinstance(task.step, graph.ContainerDef):
            # Each under its own name, and as it is.
            return [
                Port(name, self.read(leaf), "value")
                for name, expr in task.arguments.items()
                for leaf in _leaves(expr)
            ]
        ports: dict[Wire, Port] = {}
        names = {RUN, *(name for name, _ in self.outputs(task).values())}
        for leaf in self._brought(task):
            if leaf == graph.OutputRef(task.id, FILE):
                wire = Wire("own", (task.id, FILE), FILE)
                ports[wire] = Port(FILE, wire, "file", ("output", task.id, FILE))
                continue
            port = self.port(leaf)
            if port.wire not in ports:
                name = identifier(port.name, names)
                names.add(name)
                ports[port.wire] = replace(port, name=name)
        return list(ports.values())

    def collected(self, task: graph.Task) -> Iterator[graph.Collected]:
        """What a task collects from loops."""
        for expr in task.arguments.values():
            yield from (part for part in expr.walk() if isinstance(part, graph.Collected))

    def _brought(self, task: graph.Task) -> Iterator[graph.Expr]:
        """What of a task's arguments is not in the records of other tasks."""
        loops = [self.scopes.blocks[id] for expr in self.collected(task) for id in expr.loops]
        counted = [loop.items for loop in loops if isinstance(loop, graph.Loop)]
        # By its item a task knows that its loop is over nothing.
        items = [
            graph.ItemRef(loop)
            for loop in self.scopes.loops[task.id]
            if loop in self.lowered.collected
        ]
        for leaf in (
            leaf for expr in (*task.arguments.values(), *counted, *items) for leaf in _leaves(expr)
        ):
            is_recorded = isinstance(leaf, graph.OutputRef) and (
                isinstance(self.tasks[leaf.task].step, graph.StepDef)
                and leaf.task not in self.lowered.writers
            )
            if not is_recorded and not isinstance(leaf, graph.Collected | graph.OneOf):
                yield leaf

    def outputs(self, task: graph.Task) -> Outputs:
        """Outputs by (output, form), each with its KFP name and type.

        A container step has only native ones, and files among them.
        """
        return self._outputs[task.id]

    def _outputs_of(self, task: graph.Task) -> Outputs:
        if task.id in self.lowered.writers:
            return {(FILE, "native"): (FILE, FILE)}
        ports: dict[tuple[str, Form], tuple[str, str]] = {}
        names: set[str] = set()
        for output in task.outputs:
            if output.optional:
                continue  # nothing takes it
            forms: list[tuple[Form, str]] = [("native", output.native)] if output.native else []
            if isinstance(task.step, graph.ContainerDef):
                forms = [("native", FILE if output.type is Path else output.native or "str")]
            elif (task.id, output.name) in self._looped:
                forms.append(("items", TEXTS))
            if (task.id, output.name) in self.batched:
                forms.append(("batches", "list"))
            for form, kind in forms:
                is_plain = form == "native" or len(forms) == 1
                name = identifier(output.name if is_plain else f"{output.name}_{form}", names)
                names.add(name)
                ports[output.name, form] = (name, kind)
        return ports

    def port(self, leaf: graph.Expr) -> Port:
        """What an argument refers to, under a name that may be taken."""
        match leaf:
            case graph.ParameterRef(name=name):
                native = native_type(self.parameters[name])
                wire = Wire("parameter", (name,), native or "str")
                return Port(name, wire, "value" if native else "text", ("parameter", name))
            case graph.OutputRef(task=task, output=output):
                wire = self._output(leaf, "native")
                reading: Reading = "file" if wire.type == FILE else "value"
                return Port(f"{task}_{output}", wire, reading, ("output", task, output))
            case graph.ItemRef(loop=loop):
                return Port("item", *self.item(loop), ("item", loop))
            case graph.StatusRef(scope=scope):
                wire = Wire("status", (scope,), "status")
                return Port("status", wire, "value", ("status", scope))
        raise TypeError(type(leaf).__name__)

    def read(self, leaf: graph.Expr) -> Wire:
        """The wire of a value that KFP itself reads."""
        if isinstance(leaf, graph.OutputRef):
            return self._output(leaf, "native")
        return self.port(leaf).wire

    def _output(self, ref: graph.OutputRef, form: Form) -> Wire:
        name, kind = self.outputs(self.tasks[ref.task])[ref.output, form]
        return Wire("output", (ref.task, name), kind)

    def block_wires(self, block: graph.Block) -> Iterator[Wire]:
        """What KFP itself reads to decide a branch or to go over a loop."""
        if isinstance(block, graph.Loop) and not isinstance(block.items, graph.Constant):
            yield self.items(block.items)
        elif isinstance(block, graph.Batches) and isinstance(block.numbers, graph.OutputRef):
            yield self._output(block.numbers, "batches")
        elif isinstance(block, graph.Branch) and isinstance(block.condition, graph.Compare):
            for side in (block.condition.left, block.condition.right):
                if not isinstance(side, graph.Constant):
                    yield self.read(side)

    def items(self, items: graph.Expr) -> Wire:
        """The wire of a loop's items, which are no constant."""
        if isinstance(items, graph.OutputRef):
            ports = self.outputs(self.tasks[items.task])
            return self._output(items, "items" if (items.output, "items") in ports else "native")
        return self.read(items)

    def item(self, id: str) -> tuple[Wire, Reading]:
        """The wire of a loop's current item, and how the pod reads it."""
        loop = self.scopes.blocks[id]
        assert isinstance(loop, graph.Loop)
        kind = "str"
        reading: Reading = "value"
        if id in self.lowered.numbered:
            kind, reading = "int", "index"
        elif isinstance(loop.items, graph.Constant):
            kind = type(loop.items.value[0]).__name__
        elif isinstance(loop.items, graph.ParameterRef):
            kind = element_type(self.parameters[loop.items.name].type) or "str"
        elif self.items(loop.items).type == TEXTS:
            reading = "slot"
        return Wire("item", (id,), kind), reading

    def border(self, group: str) -> tuple[dict[str, Wire], dict[str, Wire]]:
        """What tasks in a nested pipeline take from outside, and the other way round, by name."""
        inside = {item.id for item in self.scopes.below(group)}
        inputs: dict[str, Wire] = {}
        outputs: dict[str, Wire] = {}
        for id, item in self.scopes.items.items():
            for wire in self._read_by(item):
                is_inner = wire.kind != "parameter" and wire.ids[0] in inside
                if id in inside:
                    if not is_inner:
                        _name(wire, inputs)
                elif is_inner:
                    _name(wire, outputs)
        return inputs, outputs

    def _size(self, batches: graph.Batches) -> int:
        loop = self.scopes.blocks[batches.loop]
        assert isinstance(loop, graph.Loop)
        return loop.per_pod or 1

    def is_repeated(self, id: str) -> bool:
        """Whether there are several pods of a task or of a shared pod."""
        return bool(self.scopes.loops[id]) or isinstance(
            self.scopes.blocks.get(self.scopes.parent(id)), graph.Batches
        )

    def tasks_of_pods(self) -> dict[str, list[str]]:
        """The tasks in each shared pod, in an order in which they can run."""
        pods = dict.fromkeys(self.pods.values())
        return {pod: [task.id for task in self.scopes.tasks_of(pod)] for pod in pods}

    def in_pod(self, pod: str) -> PodWires:
        """What is handed on in a shared pod, to it and from it."""
        if pod not in self._in_pods:
            inputs, outputs = self.border(pod)
            read = [wire for item in self.scopes.below(pod) for wire in self._read_by(item)]
            names: dict[Wire, str] = {}
            for wire in dict.fromkeys((*inputs.values(), *outputs.values(), *read)):
                names[wire] = identifier("_".join(wire.ids), {RUN, *names.values()})
            self._in_pods[pod] = PodWires(names, tuple(inputs.values()), tuple(outputs.values()))
        return self._in_pods[pod]

    def _read_by(self, item: graph.Task | graph.Block) -> Iterator[Wire]:
        if isinstance(item, graph.Block):
            yield from self.block_wires(item)
        else:
            wires = (port.wire for port in self._inputs(item))
            yield from (wire for wire in wires if wire.kind not in ("status", "own"))


def _name(wire: Wire, ports: dict[str, Wire]) -> None:
    if wire not in ports.values():
        ports[identifier("_".join(wire.ids), ports)] = wire


_LEAVES = (
    graph.Collected,
    graph.OneOf,
    graph.ParameterRef,
    graph.OutputRef,
    graph.ItemRef,
    graph.StatusRef,
)


def _leaves(expr: graph.Expr) -> Iterator[graph.Expr]:
    """The parts of an expression that come from somewhere else, as KFP sees them."""
    if isinstance(expr, _LEAVES):
        yield expr
    else:
        for child in expr.children():
            yield from _leaves(child)
