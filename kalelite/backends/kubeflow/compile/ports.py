"""The inputs and outputs of each task as KFP parameters, and the wires between them.

Values stay in the store: what travels is a reference, a text. Only what KFP itself has to read
travels as it is: pipeline parameters, loop items, the values of container steps and the primitive
results that conditions, loops and the KFP UI look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile.component_graph import FILE, Wire
from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.compile.lower import Lowered
from kalelite.backends.kubeflow.compile.native_values import element_type, item_type, parameter_type
from kalelite.backends.kubeflow.pod.contract import Form, Reading
from kalelite.plan import graph
from kalelite.plan.types.fit import native_name

__all__ = ["Port", "Wiring"]

TEXTS = "texts"
"""The KFP type of a list of texts: references, or the items of a loop as JSON."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a task: its name, where it comes from, and how the pod reads it.

    ``symbol`` is what the task's template calls it.
    """

    name: str
    wire: Wire
    reading: Reading
    symbol: tuple[Any, ...]


class Wiring:
    """Ports and wires of a lowered plan."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.tasks: Mapping[str, graph.Task] = {task.id: task for task in lowered.plan.tasks}
        self.loops: Mapping[str, graph.Loop] = {
            block.id: block for block in lowered.plan.blocks if isinstance(block, graph.Loop)
        }
        self.parameters = {parameter.name: parameter for parameter in lowered.plan.parameters}
        self.looped = {
            (loop.items.task, loop.items.output)
            for loop in self.loops.values()
            if isinstance(loop.items, graph.OutputRef)
        }
        self._outputs: dict[str, dict[tuple[str, Form], tuple[str, str]]] = {}

    def inputs(self, task: graph.Task, taken: tuple[str, ...] = ()) -> list[Port]:
        """The inputs of a task: one for each different thing that its arguments refer to."""
        if isinstance(task.step, graph.ContainerDef):
            return self._container_inputs(task)
        ports: list[Port] = []
        seen: set[Wire] = set()
        names = set(taken) | {name for name, _ in self.outputs(task).values()}
        for expr in task.arguments.values():
            for leaf in leaves(expr):
                if leaf == graph.OutputRef(task.id, FILE):
                    wire = Wire("own", (task.id, FILE), FILE)
                    ports.append(Port(FILE, wire, "file", symbol_of(leaf)))
                    continue
                wire, reading, name = self.wire(leaf)
                if wire not in seen:
                    seen.add(wire)
                    name = identifier(name, names)
                    names.add(name)
                    ports.append(Port(name, wire, reading, symbol_of(leaf)))
        return ports

    def _container_inputs(self, task: graph.Task) -> list[Port]:
        """The inputs of a container: each under its own name, and as it is."""
        return [
            Port(name, self.read(leaf), "value", symbol_of(leaf))
            for name, expr in task.arguments.items()
            for leaf in leaves(expr)
        ]

    def outputs(self, task: graph.Task) -> Mapping[tuple[str, Form], tuple[str, str]]:
        """Outputs by (output, form), each with its KFP name and type.

        The forms are "ref", "native" and "items", the items of a loop as JSON texts. A container
        step has only native ones, and files among them.
        """
        if task.id in self.lowered.writers:
            return {(FILE, "native"): (FILE, FILE)}
        if task.id not in self._outputs:
            ports: dict[tuple[str, Form], tuple[str, str]] = {}
            names: set[str] = set()
            is_container = isinstance(task.step, graph.ContainerDef)
            for output in task.outputs:
                kind = FILE if output.type is Path else output.native or "str"
                forms: list[tuple[Form, str]] = [("native", kind)] if is_container else []
                if not is_container:
                    if output.native:
                        forms.append(("native", output.native))
                    forms.append(("ref", "str"))
                if (task.id, output.name) in self.looped and not is_container:
                    forms.append(("items", TEXTS))
                for form, kind in forms:
                    plain = form == "native" or len(forms) == 1
                    name = output.name if plain else f"{output.name}_{form}"
                    name = identifier(name, names)
                    names.add(name)
                    ports[output.name, form] = (name, kind)
            self._outputs[task.id] = ports
        return self._outputs[task.id]

    def wire(self, leaf: graph.Expr) -> tuple[Wire, Reading, str]:
        """The wire of a leaf, how the pod reads it, and a name for it."""
        if isinstance(leaf, graph.ParameterRef):
            kind = parameter_type(self.parameters[leaf.name])
            wire = Wire("parameter", (leaf.name,), kind)
            return wire, "value" if self.is_native(leaf.name) else "text", leaf.name
        if isinstance(leaf, graph.OutputRef):
            return self._output(leaf)
        if isinstance(leaf, graph.ItemRef):
            return self.item(leaf.loop)
        if isinstance(leaf, graph.Collected):
            source, reading, name = self._output(leaf.source)
            wire = Wire("collected", (*source.ids, leaf.loops[0]), "list")
            return wire, reading, f"{name}_list"
        if isinstance(leaf, graph.OneOf):
            ids: list[str] = [leaf.switch]
            for choice in leaf.choices:
                assert isinstance(choice, graph.OutputRef)
                ids += self._output(choice)[0].ids
            return Wire("choice", tuple(ids), "str"), "ref", leaf.switch
        assert isinstance(leaf, graph.StatusRef)
        return Wire("status", (leaf.scope,), "status"), "value", "status"

    def native(self, ref: graph.OutputRef) -> Wire:
        """The wire of a primitive output that KFP itself reads."""
        name, kind = self.outputs(self.tasks[ref.task])[ref.output, "native"]
        return Wire("output", (ref.task, name), kind)

    def items(self, loop: graph.Loop) -> Wire:
        """The wire of a loop's items, which are no constant."""
        if isinstance(loop.items, graph.ParameterRef):
            return self.wire(loop.items)[0]
        assert isinstance(loop.items, graph.OutputRef)
        ports = self.outputs(self.tasks[loop.items.task])
        form: Form = "items" if (loop.items.output, "items") in ports else "native"
        name, kind = ports[loop.items.output, form]
        return Wire("output", (loop.items.task, name), kind)

    def block_wires(self, block: graph.Block) -> Iterator[Wire]:
        """What KFP itself reads to decide a branch or to go over a loop."""
        if isinstance(block, graph.Loop) and not isinstance(block.items, graph.Constant):
            yield self.items(block)
        elif isinstance(block, graph.Branch) and isinstance(block.condition, graph.Compare):
            for side in (block.condition.left, block.condition.right):
                if not isinstance(side, graph.Constant):
                    yield self.read(side)

    def read(self, leaf: graph.Expr) -> Wire:
        """The wire of a value that KFP itself reads."""
        return self.native(leaf) if isinstance(leaf, graph.OutputRef) else self.wire(leaf)[0]

    def is_native(self, parameter: str) -> bool:
        """Whether a pipeline parameter travels as it is, and not as a text."""
        found = self.parameters[parameter]
        kind = found.type if found.type is not None else type(found.default)
        return found.default is not None and native_name(kind) is not None

    def _output(self, ref: graph.OutputRef) -> tuple[Wire, Reading, str]:
        task = self.tasks[ref.task]
        ports = self.outputs(task)
        form: Form = "ref" if (ref.output, "ref") in ports else "native"
        name, kind = ports[ref.output, form]
        reading: Reading = "ref" if form == "ref" else "file" if kind == FILE else "value"
        return Wire("output", (ref.task, name), kind), reading, f"{ref.task}_{ref.output}"

    def item(self, id: str) -> tuple[Wire, Reading, str]:
        """The wire of a loop's current item; see `wire`."""
        loop = self.loops[id]
        if id in self.lowered.numbered:
            return Wire("item", (id,), "int"), "index", "item"
        if isinstance(loop.items, graph.Constant):
            return Wire("item", (id,), item_type(loop.items)), "value", "item"
        if isinstance(loop.items, graph.ParameterRef):
            return Wire("item", (id,), self._parameter_items(loop.items.name)), "value", "item"
        is_text = self.items(loop).type == TEXTS
        return Wire("item", (id,), "str"), "slot" if is_text else "value", "item"

    def _parameter_items(self, name: str) -> str:
        return element_type(self.parameters[name].type) or "str"


def symbol_of(leaf: graph.Expr) -> tuple[Any, ...]:
    """What `kalelite.executor.template` calls a leaf."""
    if isinstance(leaf, graph.OutputRef):
        return "output", leaf.task, leaf.output
    if isinstance(leaf, graph.Collected):
        return "collected", leaf.source.task, leaf.source.output, leaf.loops[0]
    if isinstance(leaf, graph.OneOf):
        choices = [choice for choice in leaf.choices if isinstance(choice, graph.OutputRef)]
        return "choice", leaf.switch, [[choice.task, choice.output] for choice in choices]
    if isinstance(leaf, graph.ParameterRef):
        return "parameter", leaf.name
    if isinstance(leaf, graph.ItemRef):
        return "item", leaf.loop
    assert isinstance(leaf, graph.StatusRef)
    return "status", leaf.scope


def leaves(expr: graph.Expr) -> Iterator[graph.Expr]:
    """The parts of an expression that come from somewhere else, as KFP sees them."""
    if isinstance(
        expr,
        (
            graph.Collected,
            graph.OneOf,
            graph.ParameterRef,
            graph.OutputRef,
            graph.ItemRef,
            graph.StatusRef,
        ),
    ):
        yield expr
        return
    for child in expr.children():
        yield from leaves(child)
