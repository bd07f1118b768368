"""From components to KFP's intermediate representation: the only module that imports kfp.

The plan is traced once more, this time by kfp: each block of the plan becomes kfp's own block,
each task a call of a container component made with kfp's public functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, List, NamedTuple, cast  # noqa: UP035 - kfp reads List[str], not list[str]

from google.protobuf import json_format  # type: ignore[import-untyped]
from kfp import dsl, kubernetes  # type: ignore[import-untyped]
from kfp.dsl import pipeline_context  # type: ignore[import-untyped]

from kalelite.backends.kubeflow.compile.components import Component, Input, OutputFile, Steps
from kalelite.backends.kubeflow.compile.ir_order import add_waits
from kalelite.backends.kubeflow.compile.kfp_options import configure
from kalelite.backends.kubeflow.compile.kfp_parameters import RootParameter
from kalelite.backends.kubeflow.compile.ports import Wire, Wiring
from kalelite.backends.kubeflow.compile.rewriting import FILE
from kalelite.backends.kubeflow.compile.subgraph_io import border_of
from kalelite.plan.comparisons import COMPARISONS
from kalelite.plan.graph import (
    REQUIRED,
    Branch,
    Compare,
    Constant,
    ExitScope,
    Expr,
    Group,
    Loop,
    OutputRef,
    Plan,
    Switch,
    Task,
)
from kalelite.plan.names import slug
from kalelite.plan.order import ROOT, Scopes

__all__ = ["Graph", "to_ir"]

Ir = tuple[dict[str, Any], dict[str, Any]]
"""The pipeline and its Kubernetes part, as plain data."""

_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "texts": List[str],  # noqa: UP006 - as above
    "status": dsl.PipelineTaskFinalStatus,
    FILE: dsl.Input[dsl.Artifact],
}
_ITEM_TYPES = {
    "int": "Integer",
    "float": "Float",
    "str": "String",
}


@dataclass(frozen=True, slots=True)
class Graph:
    """All that kfp has to be told. ``first`` are tasks that come before the plan's own."""

    plan: Plan
    scopes: Scopes
    wiring: Wiring
    steps: Steps
    first: tuple[Component, ...]
    parameters: Mapping[str, RootParameter]
    name: str
    display_name: str
    description: str


def to_ir(graph: Graph) -> Ir:
    """Compile.

    Returns
    -------
    tuple of dict
        The PipelineSpec and the PlatformSpec, as their JSON form.
    """
    groups: dict[str, _Nested] = {}
    for block in reversed(graph.plan.blocks):
        if isinstance(block, Group):
            groups[block.id] = _nested(graph, block, groups)
    root = _Trace(graph, ROOT, groups)

    def body(*channels: Any) -> None:
        root.channels.update(
            (Wire("parameter", (name,), parameter.type), channel)
            for (name, parameter), channel in zip(graph.parameters.items(), channels, strict=True)
        )
        for component in graph.first:
            root.call(component)
        root.block(ROOT)

    parameters = [
        _parameter(one.name, one.type, _default(one)) for one in graph.parameters.values()
    ]
    body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    # kfp reads the descriptions of the pipeline and of its parameters in it.
    body.__doc__ = graph.description or None
    pipeline = dsl.pipeline(name=graph.name, display_name=graph.display_name)(body)
    spec = json_format.MessageToDict(pipeline.pipeline_spec)
    for parameter in graph.parameters.values():
        shown = spec["root"]["inputDefinitions"]["parameters"][parameter.name]
        if parameter.description:
            shown["description"] = parameter.description
        if parameter.type in ("list", "dict") and parameter.default is not REQUIRED:
            shown["defaultValue"] = parameter.default
    add_waits(spec, graph.scopes, [c.id for c in graph.first], root.scopes())
    return spec, json_format.MessageToDict(pipeline.platform_spec)


def _parameter(name: str, kind: str, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=_TYPES[kind], default=default
    )


def _default(parameter: RootParameter) -> Any:
    """A default that kfp takes: it knows no None inside a list or dict, which are put in later."""
    if parameter.default is REQUIRED:
        return inspect.Parameter.empty
    return None if parameter.type in ("list", "dict") else parameter.default


def _component(component: Component) -> Callable[..., Any]:
    """Kfp's component: its decorator reads a function's signature and calls it once."""

    def container(*values: Any) -> dsl.ContainerSpec:
        given = dict(zip(names, values, strict=True))

        def word(part: str | Input | OutputFile) -> Any:
            return part if isinstance(part, str) else given[part.name]

        return dsl.ContainerSpec(
            image=component.image,
            command=[word(part) for part in component.command],
            args=[word(part) for part in component.args],
        )

    names = [*component.inputs, *component.outputs]
    default = None if component.optional else inspect.Parameter.empty
    parameters = [_parameter(name, kind, default) for name, kind in component.inputs.items()]
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=dsl.Output[dsl.Artifact] if kind == FILE else dsl.OutputPath(_TYPES[kind]),
            default=default,
        )
        for name, kind in component.outputs.items()
    ]
    container.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
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
    """One graph while kfp traces it: the pipeline itself, or a nested pipeline."""

    def __init__(self, graph: Graph, scope: str, groups: Mapping[str, _Nested]) -> None:
        self.graph = graph
        self.scope = scope
        self.groups = groups
        self.channels: dict[Wire, Any] = {}
        self.names: dict[str, str] = {}
        self.claims: dict[str, Any] = {}

    def scopes(self) -> dict[str, dict[str, str]]:
        """Kfp's names of tasks and blocks, for the pipeline and each nested one."""
        nested = {id: group.trace.names for id, group in self.groups.items()}
        return {self.scope: self.names, **nested}

    def block(self, id: str) -> None:
        """Trace the content of a block."""
        for child in self.graph.scopes.children[id]:
            item = self.graph.scopes.items[child]
            if isinstance(item, Task):
                if child not in self.graph.scopes.handlers:
                    self.call(self.graph.steps.task(item))
            else:
                _TRACERS[type(item)](self, item)

    def call(self, component: Component) -> Any:
        """Trace a task."""
        arguments = {
            name: self.channel(source) if isinstance(source, Wire) else source
            for name, source in component.arguments.items()
            if not isinstance(source, Wire) or source.kind != "status"
        }
        task = _component(component)(**arguments)
        configure(task, component.options)
        for maker, path in component.made_by:
            kubernetes.mount_pvc(task, pvc_name=self.claims[maker], mount_path=path)
        for name, kind in component.outputs.items():
            self.channels[Wire("output", (component.id, name), kind)] = task.outputs[name]
        if "name" in component.outputs and component.id.startswith("create-"):
            self.claims[component.id] = task.outputs["name"]
        self.names[component.id] = task.name
        return task

    def channel(self, wire: Wire) -> Any:
        """What kfp knows a value by."""
        if wire.kind == "collected" and wire not in self.channels:
            # One for each consumer: kfp renames it, while it compiles, for the place of its task.
            return dsl.Collected(self.source(wire.ids[:2]))
        if wire.kind == "choice" and wire not in self.channels:
            pairs = zip(wire.ids[1::2], wire.ids[2::2], strict=True)
            self.channels[wire] = dsl.OneOf(*(self.source(pair) for pair in pairs))
        return self.channels[wire]

    def source(self, ids: Iterable[str]) -> Any:
        """The channel of an output, of whatever type."""
        ids = tuple(ids)
        return next(
            channel
            for wire, channel in self.channels.items()
            if wire.kind == "output" and wire.ids == ids
        )

    def switch(self, switch: Switch) -> None:
        keyword = dsl.If
        blocks = {}
        for id in self.graph.scopes.children[switch.id]:
            branch = self.graph.scopes.items[id]
            assert isinstance(branch, Branch)
            if branch.condition is None:
                block = dsl.Else(name=id)
            else:
                block = keyword(self.condition(branch.condition), name=id)
            with block:
                self.block(id)
            blocks[id] = block
            keyword = dsl.Elif
        if len(blocks) > 1 and not isinstance(block, dsl.Else):
            # kfp closes the block around the branches with an Else only: what comes next would
            # stand in it.
            pipeline_context.Pipeline.get_default_pipeline().pop_tasks_group()
        # kfp renames the first branch when the second one comes.
        self.names.update((id, block.name) for id, block in blocks.items())
        self.names[switch.id] = self.outermost(block)

    def condition(self, condition: Expr) -> Any:
        assert isinstance(condition, Compare)
        left, right = (self.operand(side) for side in (condition.left, condition.right))
        return COMPARISONS[condition.op](left, right)

    def operand(self, expr: Expr) -> Any:
        if isinstance(expr, Constant):
            return expr.value
        wiring = self.graph.wiring
        wire = wiring.native(expr) if isinstance(expr, OutputRef) else wiring.wire(expr)[0]
        return self.channel(wire)

    def loop(self, loop: Loop) -> None:
        wiring = self.graph.wiring
        items = (
            list(loop.items.value)
            if isinstance(loop.items, Constant)
            else self.channel(wiring.items(loop))
        )
        block = dsl.ParallelFor(items, name=loop.id, parallelism=loop.parallelism)
        wire = wiring.item(loop.id)[0]
        # kfp takes the type of the items for text where it does not know better.
        block.loop_argument.channel_type = _ITEM_TYPES[wire.type]
        with block as item:
            self.channels[wire] = item
            self.block(loop.id)
        self.names[loop.id] = block.name

    def exit_scope(self, scope: ExitScope) -> None:
        handler = self.graph.scopes.items[scope.handler]
        assert isinstance(handler, Task)
        task = self.call(self.graph.steps.task(handler, handler=True))
        with dsl.ExitHandler(task, name=scope.id) as block:
            self.block(scope.id)
        self.names[scope.id] = block.name

    def group(self, group: Group) -> None:
        nested = self.groups[group.id]
        arguments = {name: self.channel(wire) for name, wire in nested.inputs.items()}
        for name, maker in nested.claims.items():
            arguments[name] = self.claims[maker]
        task = nested.pipeline(**arguments)
        task.set_display_name(group.name or group.id)
        task.set_caching_options(False)
        for name, wire in nested.outputs.items():
            self.channels[wire] = task.outputs[name]
        self.names[group.id] = task.name

    def outermost(self, branch: Any) -> str:
        """The name of kfp's block around the branches; the branch itself if it is the only one."""
        parent = branch.parent_task_group
        is_wrapper = parent is not None and parent.group_type == "condition-branches"
        return str(parent.name if is_wrapper else branch.name)


_TRACERS: dict[type, Callable[[_Trace, Any], None]] = {
    Switch: _Trace.switch,
    Loop: _Trace.loop,
    ExitScope: _Trace.exit_scope,
    Group: _Trace.group,
}


@dataclass(frozen=True, slots=True)
class _Nested:
    """A nested pipeline, compiled on its own, and what its parameters stand for."""

    pipeline: Callable[..., Any]
    trace: _Trace
    inputs: Mapping[str, Wire]
    outputs: Mapping[str, Wire]
    claims: Mapping[str, str]


def _nested(graph: Graph, group: Group, groups: Mapping[str, _Nested]) -> _Nested:
    """Compile a nested pipeline: kfp wants that done before the pipeline around it is traced."""
    border = border_of(group.id, graph.scopes, graph.wiring)
    makers = dict.fromkeys(mount.made_by for mount in graph.steps.storage.mounts if mount.made_by)
    claims = {f"claim_{number}": maker for number, maker in enumerate(makers, 1)}
    trace = _Trace(graph, group.id, groups)

    def body(*channels: Any) -> Any:
        given = dict(zip([*border.inputs, *claims], channels, strict=True))
        trace.channels.update((wire, given[name]) for name, wire in border.inputs.items())
        trace.claims.update((maker, given[name]) for name, maker in claims.items())
        trace.block(group.id)
        if not border.outputs:
            return None
        return outputs(**{name: trace.channel(wire) for name, wire in border.outputs.items()})

    fields = [(name, _TYPES[wire.type]) for name, wire in border.outputs.items()]
    outputs = NamedTuple("outputs", fields)  # type: ignore[misc]
    parameters = [_parameter(name, wire.type) for name, wire in border.inputs.items()]
    parameters += [_parameter(name, "str") for name in claims]
    body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=outputs if fields else inspect.Signature.empty
    )
    pipeline = dsl.pipeline(name=slug(group.id))(body)
    return _Nested(pipeline, trace, border.inputs, border.outputs, claims)
