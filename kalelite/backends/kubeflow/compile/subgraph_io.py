"""What crosses the border of a nested pipeline: its parameters and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kalelite.backends.kubeflow.compile.component_graph import Wire
from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.plan.graph import Block, Task
from kalelite.plan.order import Scopes

__all__ = ["inputs_and_outputs"]


def inputs_and_outputs(
    group: str, scopes: Scopes, wiring: Wiring
) -> tuple[Mapping[str, Wire], Mapping[str, Wire]]:
    """What tasks inside a group take from outside, and the other way round, by name."""
    inside = {item.id for item in scopes.below(group)}
    inputs: dict[str, Wire] = {}
    outputs: dict[str, Wire] = {}
    for id, item in scopes.items.items():
        for wire in _wires_of(item, wiring):
            if id in inside:
                if not _made_in(wire, inside):
                    _add(inputs, wire)
            elif _made_in(wire, inside):
                _add(outputs, wire)
            elif wire.kind == "collected" and wire.ids[0] in inside:
                task, port, _ = wire.ids
                types = dict(wiring.outputs(wiring.tasks[task]).values())
                _add(outputs, Wire("output", (task, port), types[port]))
    return inputs, outputs


def _wires_of(item: Task | Block, wiring: Wiring) -> Iterator[Wire]:
    """Everything that a task or block reads."""
    if isinstance(item, Task):
        wires = (port.wire for port in wiring.inputs(item))
        yield from (wire for wire in wires if wire.kind not in ("status", "own"))
    else:
        yield from wiring.block_wires(item)


def _made_in(wire: Wire, inside: set[str]) -> bool:
    """Whether a wire begins inside: collected values begin at their loop."""
    if wire.kind == "parameter":
        return False
    return wire.ids[2 if wire.kind == "collected" else 0] in inside


def _add(ports: dict[str, Wire], wire: Wire) -> None:
    if wire not in ports.values():
        ports[identifier("_".join(wire.ids), ports)] = wire
