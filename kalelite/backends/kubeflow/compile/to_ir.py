"""From components to KFP's intermediate representation: the only module that imports kfp.

The plan is traced by kfp as a script would be: each block becomes kfp's own block, each component
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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from google.protobuf import json_format  # type: ignore[import-untyped]
from kfp import dsl, kubernetes  # type: ignore[import-untyped]
from kfp.dsl import pipeline_context  # type: ignore[import-untyped]

from kalelite.backends.kubeflow.compile.kfp_options import configure
from kalelite.backends.kubeflow.compile.native_values import FILE, METRICS, PAGE
from kalelite.backends.kubeflow.compile.ports import Wire
from kalelite.backends.kubeflow.compile.setup_tasks import PREPARED
from kalelite.plan import graph
from kalelite.plan.comparisons import COMPARISONS
from kalelite.plan.names import slug
from kalelite.plan.order import ROOT

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.components import Component, Components
    from kalelite.backends.kubeflow.compile.kfp_parameters import Root

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
_ARTIFACTS: dict[str, Any] = {FILE: dsl.Artifact, METRICS: dsl.Metrics, PAGE: dsl.HTML}
_ITEM_TYPES = {"int": "Integer", "float": "Float", "str": "String"}


def to_ir(root: Root, components: Components) -> Ir:
    """The PipelineSpec and the PlatformSpec, as their JSON form."""
    nested: dict[str, _Trace] = {}
    for item in reversed(list(components.wiring.scopes.below(ROOT))):
        if isinstance(item, graph.Group) and item.id not in components.wiring.pods:
            nested[item.id] = _nested(item, components, nested)
    trace = _Trace(components, nested)

    def body(*channels: Any) -> None:
        trace.channels.update(
            (Wire("parameter", (name,)), channel)
            for name, channel in zip(root.parameters, channels, strict=True)
        )
        for component in components.setup:
            made = trace.component(component)
            trace.claims.update((name, made.outputs[name]) for name in component.outputs)
            if components.carrier:
                with dsl.If(made.outputs[PREPARED] == "no", name="kalelite-code"):
                    trace.component(components.carrier)
        trace.block(ROOT)

    parameters = [
        # kfp takes no None inside a list or dict: those are put in later.
        _parameter(
            one.name, _TYPES[one.type], None if one.type in ("list", "dict") else one.default
        )
        if one.default is not graph.REQUIRED
        else _parameter(one.name, _TYPES[one.type])
        for one in root.parameters.values()
    ]
    _sign(body, parameters)
    # kfp reads the descriptions of the pipeline and of its parameters in it.
    body.__doc__ = root.description or None
    pipeline = dsl.pipeline(name=root.name, display_name=root.display_name)(body)
    spec: dict[str, Any] = json_format.MessageToDict(pipeline.pipeline_spec)
    for parameter in root.parameters.values():
        shown = spec["root"]["inputDefinitions"]["parameters"][parameter.name]
        if parameter.description:
            shown["description"] = parameter.description
        if parameter.type in ("list", "dict") and parameter.default is not graph.REQUIRED:
            shown["defaultValue"] = parameter.default
    _add_waits(spec, spec["root"], ROOT, trace)
    if components.routes:
        traces = (trace, *nested.values())
        components.routes.connect(
            spec, {id: name for each in traces for id, name in each.names.items()}
        )
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
    spec: Mapping[str, Any], component: Mapping[str, Any], block: str, trace: _Trace
) -> None:
    """Complete the graph of a block's component."""
    scopes = trace.scopes
    tasks = component["dag"]["tasks"]
    for id, others in trace.components.waits(block):
        task = tasks[trace.names[id]]
        waits = {*task.get("dependentTasks", ()), *(trace.names[other] for other in others)}
        if waits:
            task["dependentTasks"] = sorted(waits)
        if "dag" in spec["components"][task["componentRef"]["name"]]:
            inner = spec["components"][task["componentRef"]["name"]]
            branches = scopes.children[id] if scopes.is_switch(id) else ()
            # kfp puts a lone If into no block of its own.
            inside = branches[0] if len(branches) == 1 else id
            _add_waits(spec, inner, inside, trace.nested.get(id, trace))


def _component(component: Component) -> Callable[..., Any]:
    """Kfp's component: its decorator reads a function's signature and calls it once."""

    def container(*_: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=component.image, command=list(component.command), args=list(component.args)
        )

    parameters = [_parameter(name, _TYPES[kind]) for name, kind in component.inputs.items()]
    for name, kind in component.outputs.items():
        artifact = _ARTIFACTS.get(kind)
        annotation = dsl.Output[artifact] if artifact else dsl.OutputPath(_TYPES[kind])
        parameters.append(_parameter(name, annotation))
    _sign(container, parameters)
    container.__name__ = component.id.replace("-", "_")
    made = dsl.container_component(container)
    if component.description:
        # KFP keeps descriptions of parameters only: the step's own stands with what it gives.
        for name, output in (made.component_spec.outputs or {}).items():
            if component.outputs[name] in (METRICS, PAGE):
                continue
            many = len(component.outputs) > 1
            output.description = (
                f"{name}: {component.description}" if many else component.description
            )
    return cast("Callable[..., Any]", made)


class _Trace:
    """One graph while kfp traces it: the pipeline itself, or a nested pipeline.

    ``names`` are kfp's names of its tasks and blocks. ``pipeline``, ``inputs`` and ``outputs``
    are what kfp makes of a nested pipeline, and what crosses its border.
    """

    def __init__(self, components: Components, nested: Mapping[str, _Trace]) -> None:
        self.components = components
        self.wiring = components.wiring
        self.scopes = components.wiring.scopes
        self.nested = nested
        self.channels: dict[Wire, Any] = {}
        self.names: dict[str, str] = {}
        self.claims: dict[str, Any] = {}
        self.inputs: Mapping[str, Wire] = {}
        self.outputs: Mapping[str, Wire] = {}
        self.pipeline: Callable[..., Any] | None = None

    def block(self, id: str) -> None:
        """Trace what stands in a block."""
        scopes = self.scopes
        for child in scopes.children[id]:
            if child not in scopes.handlers:
                _TRACERS[type(scopes.items[child])](self, scopes.items[child])

    def task(self, task: graph.Task) -> None:
        self.component(self.components.task(task))

    def component(self, component: Component) -> Any:
        arguments = {
            name: self.channel(source) if isinstance(source, Wire) else source
            for name, source in component.arguments.items()
            if not isinstance(source, Wire) or source.kind != "status"
        }
        task = _component(component)(**arguments)
        configure(task, component.options, container=component.own)
        for name, field in component.fields.items():
            kubernetes.use_field_path_as_env(task, env_name=name, field_path=field)
        for maker, path, folder in component.made_by:
            claim = self.claims[maker]
            kubernetes.mount_pvc(task, pvc_name=claim, mount_path=path, sub_path=folder)
        for name in component.outputs:
            self.channels[Wire("output", (component.id, name))] = task.outputs[name]
        self.names[component.id] = task.name
        return task

    def pod(self, pod: graph.SharedPod) -> None:
        task = self.component(self.components.pod(pod))
        wires = self.wiring.in_pod(pod.id)
        self.channels |= {wire: task.outputs[wires.names[wire]] for wire in wires.outputs}

    def channel(self, wire: Wire) -> Any:
        """Kfp's own object for a value."""
        return self.channels[wire]

    def operand(self, side: graph.Expr) -> Any:
        if isinstance(side, graph.Constant):
            return side.value
        return self.channel(self.wiring.read(side))

    def switch(self, switch: graph.Switch) -> None:
        keyword = dsl.If
        blocks = {}
        for id in self.scopes.children[switch.id]:
            branch = self.scopes.blocks[id]
            assert isinstance(branch, graph.Branch)
            if branch.condition is None:
                block = dsl.Else(name=id)
            else:
                assert isinstance(branch.condition, graph.Compare)
                compare = COMPARISONS[branch.condition.op]
                sides = map(self.operand, branch.condition.children())
                block = keyword(compare(*sides), name=id)
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
        self.names[switch.id] = _outermost(block)

    def loop(self, loop: graph.Loop) -> None:
        if isinstance(loop.items, graph.Constant):
            items = list(loop.items.value)
        else:
            items = self.channel(self.wiring.items(loop.items))
        wire, _ = self.wiring.item(loop.id)
        block = dsl.ParallelFor(items, name=loop.id, parallelism=loop.parallelism)
        # kfp takes the type of the items for text where it has no other.
        block.loop_argument.channel_type = _ITEM_TYPES[wire.type]
        with block as item:
            self.channels[wire] = item
            self.block(loop.id)
        self.names[loop.id] = block.name

    def batches(self, batches: graph.Batches) -> None:
        if isinstance(batches.numbers, graph.Constant):
            numbers = list(batches.numbers.value)
        else:
            numbers = self.channel(next(self.wiring.block_wires(batches)))
        loop = self.scopes.blocks[batches.loop]
        assert isinstance(loop, graph.Loop)
        # A bound on what is done at once is kept in the pod, so there is one pod at a time.
        width = 1 if loop.parallelism else None
        block = dsl.ParallelFor(numbers, name=batches.id, parallelism=width)
        block.loop_argument.channel_type = _ITEM_TYPES["int"]
        with block:
            self.block(batches.id)
        self.names[batches.id] = block.name

    def exit_scope(self, scope: graph.ExitScope) -> None:
        handler = self.scopes.tasks[scope.handler]
        task = self.component(self.components.task(handler, handler=True))
        with dsl.ExitHandler(task, name=scope.id) as block:
            self.block(scope.id)
        self.names[scope.id] = block.name

    def group(self, group: graph.Group) -> None:
        nested = self.nested[group.id]
        arguments = {name: self.channel(wire) for name, wire in nested.inputs.items()}
        claims = self.components.claims()
        arguments |= {name: self.claims[maker] for name, maker in claims.items()}
        assert nested.pipeline is not None
        task = nested.pipeline(**arguments)
        task.set_display_name(group.name or group.id)
        task.set_caching_options(False)
        for name, wire in nested.outputs.items():
            self.channels[wire] = task.outputs[name]
        self.names[group.id] = task.name


_TRACERS: dict[type, Callable[[_Trace, Any], None]] = {
    graph.Task: _Trace.task,
    graph.Switch: _Trace.switch,
    graph.Loop: _Trace.loop,
    graph.Batches: _Trace.batches,
    graph.ExitScope: _Trace.exit_scope,
    graph.Group: _Trace.group,
    graph.SharedPod: _Trace.pod,
}


def _outermost(branch: Any) -> str:
    """The name of kfp's block around the branches; the branch itself if it is the only one."""
    parent = branch.parent_task_group
    is_wrapper = parent is not None and parent.group_type == "condition-branches"
    return str(parent.name if is_wrapper else branch.name)


def _nested(group: graph.Group, components: Components, nested: Mapping[str, _Trace]) -> _Trace:
    """Compile a nested pipeline: kfp wants that done before the pipeline around it is traced."""
    trace = _Trace(components, nested)
    claims = components.claims()
    inputs, outputs = trace.inputs, trace.outputs = trace.wiring.border(group.id)

    def body(*channels: Any) -> Any:
        values = iter(channels)
        trace.channels.update((wire, next(values)) for wire in inputs.values())
        trace.claims.update((maker, next(values)) for maker in claims.values())
        trace.block(group.id)
        if not outputs:
            return None
        return results(**{name: trace.channel(wire) for name, wire in outputs.items()})

    fields = [(name, _TYPES[wire.type]) for name, wire in outputs.items()]
    results = NamedTuple("outputs", fields)  # type: ignore[misc]
    parameters = [_parameter(name, _TYPES[wire.type]) for name, wire in inputs.items()]
    parameters += [_parameter(name, str) for name in claims]
    _sign(body, parameters, results if fields else None)
    trace.pipeline = dsl.pipeline(name=slug(group.id))(body)
    return trace
