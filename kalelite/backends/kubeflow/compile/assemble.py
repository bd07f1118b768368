"""The component graph of a lowered plan."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from kalelite.backends.kubeflow.compile.component_graph import (
    Case,
    Cases,
    Comparison,
    Component,
    Element,
    ForEach,
    Guarded,
    Subpipeline,
)
from kalelite.backends.kubeflow.compile.components import Components
from kalelite.backends.kubeflow.compile.subgraph_io import inputs_and_outputs
from kalelite.plan import graph
from kalelite.plan.order import ROOT, Scopes

__all__ = ["assemble"]


def assemble(scopes: Scopes, components: Components, first: list[Component]) -> tuple[Element, ...]:
    """The elements of the pipeline.

    Parameters
    ----------
    scopes
        The scopes of the lowered plan.
    components
        Makes a component of each task.
    first
        Tasks that come one after the other before everything else.
    """
    chain = [*first[:1], *(replace(one, waits=(before.id,)) for before, one in pairwise(first))]
    last = tuple(component.id for component in chain[-1:])
    body = [
        # Whatever waits for something else waits for the chain through that.
        element if scopes.waits[element.id] else replace(element, waits=last)
        for element in _body(ROOT, scopes, components)
    ]
    return (*chain, *body)


def _body(id: str, scopes: Scopes, components: Components) -> tuple[Element, ...]:
    """What stands in a block, in an order in which it can run."""
    return tuple(
        _element(scopes.items[child], scopes, components)
        for child in scopes.children[id]
        if child not in scopes.handlers
    )


def _element(item: graph.Task | graph.Block, scopes: Scopes, components: Components) -> Element:
    if isinstance(item, graph.Task):
        return replace(components.task(item), waits=scopes.orders[item.id])
    common: dict[str, Any] = {
        "id": item.id,
        "waits": scopes.orders[item.id],
        "body": _body(item.id, scopes, components),
    }
    wiring = components.wiring
    match item:
        case graph.Branch(condition=condition):
            return Case(condition=_comparison(condition, components), **common)
        case graph.Loop(items=items, parallelism=parallelism):
            source = items.value if isinstance(items, graph.Constant) else wiring.items(items)
            item_wire = wiring.item(item)[0]
            return ForEach(items=source, item=item_wire, parallelism=parallelism, **common)
        case graph.ExitScope(handler=handler):
            task = scopes.tasks[handler]
            return Guarded(handler=components.task(task, handler=True), **common)
        case graph.Group(name=name):
            inputs, outputs = inputs_and_outputs(item.id, scopes, wiring)
            return Subpipeline(
                title=name or item.id,
                inputs=inputs,
                outputs=outputs,
                claims=components.claims(),
                **common,
            )
    return Cases(**common)


def _comparison(condition: graph.Expr | None, components: Components) -> Comparison | None:
    if condition is None:
        return None
    assert isinstance(condition, graph.Compare)
    left, right = (
        side.value if isinstance(side, graph.Constant) else components.wiring.read(side)
        for side in (condition.left, condition.right)
    )
    return Comparison(condition.op, left, right)
