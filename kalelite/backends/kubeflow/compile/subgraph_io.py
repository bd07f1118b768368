"""What crosses the border of a nested pipeline: its parameters and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.compile.ports import Wire, Wiring
from kalelite.plan.graph import Block, Task
from kalelite.plan.names import unique
from kalelite.plan.order import Scopes

__all__ = ["Border", "border_of"]


@dataclass(frozen=True, slots=True)
class Border:
    """Parameters and results by name."""

    inputs: Mapping[str, Wire]
    outputs: Mapping[str, Wire]


def border_of(group: str, scopes: Scopes, wiring: Wiring) -> Border:
    """Find what tasks inside a group take from outside, and the other way round."""
    inside = {item.id for item in scopes.below(group)}
    inputs: dict[str, Wire] = {}
    outputs: dict[str, Wire] = {}
    for id, item in scopes.items.items():
        for wire in wires_of(item, wiring):
            if id in inside:
                if not _made_in(wire, inside):
                    _add(inputs, wire)
            else:
                for result in _results(wire, inside, wiring):
                    _add(outputs, result)
    return Border(inputs, outputs)


def wires_of(item: Task | Block, wiring: Wiring) -> Iterator[Wire]:
    """Everything that a task or block reads."""
    if isinstance(item, Task):
        for port in wiring.inputs(item):
            if port.wire.kind not in ("status", "own"):
                yield port.wire
    else:
        yield from wiring.block_wires(item)


def _made_in(wire: Wire, inside: set[str]) -> bool:
    """Whether a wire begins inside: collected values begin at their loop."""
    if wire.kind == "parameter":
        return False
    return wire.ids[2 if wire.kind == "collected" else 0] in inside


def _results(wire: Wire, inside: set[str], wiring: Wiring) -> Iterator[Wire]:
    """The results of the group that a wire outside is made of."""
    if _made_in(wire, inside):
        yield wire
    elif wire.kind == "collected" and wire.ids[0] in inside:
        yield _output(wire.ids[0], wire.ids[1], wiring)


def _output(task: str, port: str, wiring: Wiring) -> Wire:
    types = dict(wiring.outputs(wiring.tasks[task]).values())
    return Wire("output", (task, port), types[port])


def _add(ports: dict[str, Wire], wire: Wire) -> None:
    if wire not in ports.values():
        ports[unique(identifier("_".join(wire.ids)), ports, separator="_")] = wire
