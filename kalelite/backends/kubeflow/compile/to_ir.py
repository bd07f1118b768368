"""From the component graph to KFP's intermediate representation: the only module that imports kfp.

The graph is traced by kfp as a script would be: each block becomes kfp's own block, each component
a call of a container component. Waits are written into the result, for kfp's own ``after`` refuses
a task in a block that the waiting task is not in, while KFP runs a wait for the block as a whole.

Of kfp this uses, beside its documented functions, what no release promises (hence the upper bound
in setup.cfg; tried with 2.14 to 2.17):

- ``Pipeline.get_default_pipeline().pop_tasks_group()``, `_Trace.cases`;
- ``ParallelFor.loop_argument.channel_type``, `_Trace.for_each`;
- ``parent_task_group`` and ``group_type`` of a block, `_outermost`;
- ``component_spec.outputs`` of a component, `_component`;
- ``platform_config`` of a task (kfp_options.py);
- that its decorators read ``__signature__``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from google.protobuf import json_format  # type: ignore[import-untyped]
from kfp import dsl, kubernetes  # type: ignore[import-untyped]
from kfp.dsl import pipeline_context  # type: ignore[import-untyped]

from kalelite.backends.kubeflow.compile.component_graph import (
    FILE,
    Cases,
    Component,
    ComponentGraph,
    Element,
    ForEach,
    Guarded,
    Subpipeline,
    Wire,
    walk,
)
from kalelite.backends.kubeflow.compile.kfp_options import configure
from kalelite.plan.comparisons import COMPARISONS
from kalelite.plan.graph import REQUIRED
from kalelite.plan.names import slug

__all__ = ["to_ir"]

Ir = tuple[dict[str, Any], dict[str, Any]]
"""The pipeline and its Kubernetes part, as plain data."""

_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "texts": list,
    "status": dsl.PipelineTaskFinalStatus,
    FILE: dsl.Input[dsl.Artifact],
}
_ITEM_TYPES = {"int": "Integer", "float": "Float", "str": "String"}


def to_ir(graph: ComponentGraph) -> Ir:
    """Compile.

    Returns
    -------
    tuple of dict
        The PipelineSpec and the PlatformSpec, as their JSON form.
    """
    nested: dict[str, _Nested] = {}
    for element in reversed(list(walk(graph.body))):
        if isinstance(element, Subpipeline):
            nested[element.id] = _nested(element, nested)
    trace = _Trace(nested)

    def body(*channels: Any) -> None:
        trace.channels.update(
            (Wire("parameter", (name,)), channel)
            for name, channel in zip(graph.parameters, channels, strict=True)
        )
        trace.elements(graph.body)

    parameters = [
        # kfp takes no None inside a list or dict: those are put in later.
        _parameter(
            one.name, _TYPES[one.type], None if one.type in ("list", "dict") else one.default
        )
        if one.default is not REQUIRED
        else _parameter(one.name, _TYPES[one.type])
        for one in graph.parameters.values()
    ]
    _sign(body, parameters)
    # kfp reads the descriptions of the pipeline and of its parameters in it.
    body.__doc__ = graph.description or None
    pipeline = dsl.pipeline(name=graph.name, display_name=graph.display_name)(body)
    spec: dict[str, Any] = json_format.MessageToDict(pipeline.pipeline_spec)
    for parameter in graph.parameters.values():
        shown = spec["root"]["inputDefinitions"]["parameters"][parameter.name]
        if parameter.description:
            shown["description"] = parameter.description
        if parameter.type in ("list", "dict") and parameter.default is not REQUIRED:
            shown["defaultValue"] = parameter.default
    _add_waits(spec, spec["root"], graph.body, trace)
    return spec, json_format.MessageToDict(pipeline.platform_spec)


def _parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


def _sign(function: Any, parameters: list[inspect.Parameter], returns: Any = None) -> None:
    """Give a function the parameters that kfp is to read; it is called with their values in order."""
    annotation = returns or inspect.Signature.empty
    function.__signature__ = inspect.Signature(parameters, return_annotation=annotation)


def _add_waits(
    spec: Mapping[str, Any],
    component: Mapping[str, Any],
    elements: Iterable[Element],
    trace: _Trace,
) -> None:
    """Complete the graph of a component."""
    tasks = component["dag"]["tasks"]
    for element in elements:
        task = tasks[trace.names[element.id]]
        waits = {*task.get("dependentTasks", ()), *(trace.names[id] for id in element.waits)}
        if waits:
            task["dependentTasks"] = sorted(waits)
        if element.body:
            inner = spec["components"][task["componentRef"]["name"]]
            is_lone_if = isinstance(element, Cases) and len(element.body) == 1
            # kfp puts a lone If into no block of its own.
            body = element.body[0].body if is_lone_if else element.body
            is_nested = isinstance(element, Subpipeline)
            _add_waits(spec, inner, body, trace.nested[element.id].trace if is_nested else trace)


def _component(component: Component) -> Callable[..., Any]:
    """Kfp's component: its decorator reads a function's signature and calls it once."""

    def container(*_: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=component.image, command=list(component.command), args=list(component.args)
        )

    default = None if component.optional else inspect.Parameter.empty
    parameters = [
        _parameter(name, _TYPES[kind], default) for name, kind in component.inputs.items()
    ]
    for name, kind in component.outputs.items():
        annotation = dsl.Output[dsl.Artifact] if kind == FILE else dsl.OutputPath(_TYPES[kind])
        parameters.append(_parameter(name, annotation, default))
    _sign(container, parameters)
    container.__name__ = component.id.replace("-", "_")
    made = dsl.container_component(container)
    if component.description:
        # KFP keeps descriptions of parameters only: the step's own stands with what it gives.
        for name, output in (made.component_spec.outputs or {}).items():
            many = len(component.outputs) > 1
            output.description = (
                f"{name}: {component.description}" if many else component.description
            )
    return cast("Callable[..., Any]", made)


class _Trace:
    """One graph while kfp traces it: the pipeline itself, or a nested pipeline.

    ``names`` are kfp's names of its tasks and blocks.
    """

    def __init__(self, nested: Mapping[str, _Nested]) -> None:
        self.nested = nested
        self.channels: dict[Wire, Any] = {}
        self.names: dict[str, str] = {}
        self.claims: dict[str, Any] = {}

    def elements(self, elements: Iterable[Element]) -> None:
        for element in elements:
            _TRACERS[type(element)](self, element)

    def component(self, component: Component) -> Any:
        arguments = {
            name: self.channel(source) if isinstance(source, Wire) else source
            for name, source in component.arguments.items()
            if not isinstance(source, Wire) or source.kind != "status"
        }
        task = _component(component)(**arguments)
        configure(task, component.options)
        for maker, path in component.made_by:
            kubernetes.mount_pvc(task, pvc_name=self.claims[maker], mount_path=path)
        for name in component.outputs:
            self.channels[Wire("output", (component.id, name))] = task.outputs[name]
        if "name" in component.outputs and component.id.startswith("create-"):
            self.claims[component.id] = task.outputs["name"]
        self.names[component.id] = task.name
        return task

    def channel(self, wire: Wire) -> Any:
        """Kfp's own object for a value."""
        if wire.kind == "collected" and wire not in self.channels:
            # One for each consumer: kfp renames it, while it compiles, for the place of its task.
            return dsl.Collected(self.channels[Wire("output", wire.ids[:2])])
        if wire.kind == "choice" and wire not in self.channels:
            pairs = zip(wire.ids[1::2], wire.ids[2::2], strict=True)
            choices = (self.channels[Wire("output", pair)] for pair in pairs)
            self.channels[wire] = dsl.OneOf(*choices)
        return self.channels[wire]

    def operand(self, side: Any) -> Any:
        return self.channel(side) if isinstance(side, Wire) else side

    def cases(self, cases: Cases) -> None:
        keyword = dsl.If
        blocks = {}
        for case in cases.body:
            if case.condition is None:
                block = dsl.Else(name=case.id)
            else:
                left, right = self.operand(case.condition.left), self.operand(case.condition.right)
                compare = COMPARISONS[case.condition.op]
                block = keyword(compare(left, right), name=case.id)
            with block:
                self.elements(case.body)
            blocks[case.id] = block
            keyword = dsl.Elif
        if len(blocks) > 1 and not isinstance(block, dsl.Else):
            # kfp closes the block around the branches with an Else only: what comes next would
            # stand in it.
            pipeline_context.Pipeline.get_default_pipeline().pop_tasks_group()
        # kfp renames the first branch when the second one comes.
        self.names.update((id, block.name) for id, block in blocks.items())
        self.names[cases.id] = _outermost(block)

    def for_each(self, loop: ForEach) -> None:
        items = self.channel(loop.items) if isinstance(loop.items, Wire) else list(loop.items)
        block = dsl.ParallelFor(items, name=loop.id, parallelism=loop.parallelism)
        # kfp takes the type of the items for text where it has no other.
        block.loop_argument.channel_type = _ITEM_TYPES[loop.item.type]
        with block as item:
            self.channels[loop.item] = item
            self.elements(loop.body)
        self.names[loop.id] = block.name

    def guarded(self, guarded: Guarded) -> None:
        task = self.component(guarded.handler)
        with dsl.ExitHandler(task, name=guarded.id) as block:
            self.elements(guarded.body)
        self.names[guarded.id] = block.name

    def subpipeline(self, group: Subpipeline) -> None:
        arguments = {name: self.channel(wire) for name, wire in group.inputs.items()}
        arguments |= {name: self.claims[maker] for name, maker in group.claims.items()}
        task = self.nested[group.id].pipeline(**arguments)
        task.set_display_name(group.title)
        task.set_caching_options(False)
        for name, wire in group.outputs.items():
            self.channels[wire] = task.outputs[name]
        self.names[group.id] = task.name


_TRACERS: dict[type, Callable[[_Trace, Any], object]] = {
    Component: _Trace.component,
    Cases: _Trace.cases,
    ForEach: _Trace.for_each,
    Guarded: _Trace.guarded,
    Subpipeline: _Trace.subpipeline,
}


def _outermost(branch: Any) -> str:
    """The name of kfp's block around the branches; the branch itself if it is the only one."""
    parent = branch.parent_task_group
    is_wrapper = parent is not None and parent.group_type == "condition-branches"
    return str(parent.name if is_wrapper else branch.name)


@dataclass(frozen=True, slots=True)
class _Nested:
    """A nested pipeline, compiled on its own."""

    pipeline: Callable[..., Any]
    trace: _Trace


def _nested(group: Subpipeline, nested: Mapping[str, _Nested]) -> _Nested:
    """Compile a nested pipeline: kfp wants that done before the pipeline around it is traced."""
    trace = _Trace(nested)

    def body(*channels: Any) -> Any:
        values = iter(channels)
        trace.channels.update((wire, next(values)) for wire in group.inputs.values())
        trace.claims.update((maker, next(values)) for maker in group.claims.values())
        trace.elements(group.body)
        if not group.outputs:
            return None
        return outputs(**{name: trace.channel(wire) for name, wire in group.outputs.items()})

    fields = [(name, _TYPES[wire.type]) for name, wire in group.outputs.items()]
    outputs = NamedTuple("outputs", fields)  # type: ignore[misc]
    parameters = [_parameter(name, _TYPES[wire.type]) for name, wire in group.inputs.items()]
    parameters += [_parameter(name, str) for name in group.claims]
    _sign(body, parameters, outputs if fields else None)
    return _Nested(dsl.pipeline(name=slug(group.id))(body), trace)
