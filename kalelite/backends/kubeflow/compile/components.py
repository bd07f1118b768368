"""Each task as a component: image, command, parameters. Nothing of kfp is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.escaping import (
    EXECUTOR_INPUT,
    JOB_ID,
    JOB_NAME,
    artifact_path,
    identifier,
    input_value,
    output_file,
    summary,
)
from kalelite.backends.kubeflow.compile.native_values import FILE, LOGGED, PAGE
from kalelite.backends.kubeflow.compile.ports import Wire, Wiring
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.backends.kubeflow.pod.surroundings import NODE, NODE_FIELD
from kalelite.plan.container_command import InputPath, InputValue, OutputPath, fill
from kalelite.plan.graph import Constant, ContainerDef, SharedPod, Task
from kalelite.plan.order import ROOT

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.artifact_routes import Routes
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.backends.kubeflow.compile.mounts import Storage
    from kalelite.plan.options import StepOptions

JOB = "kalelite_job"
"""The input of an exit handler that has the name of the Workflow, where the code is."""

TASK = "KALELITE_TASK"
"""A variable of every container of the user's own; it makes each of them another one for KFP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A task; KFP's own placeholders stand in its command.

    ``inputs`` and ``outputs`` are names and types, ``arguments`` hold a wire or a constant for
    each input. ``options`` are the step's, with the volumes that the run adds; ``made_by`` are
    claims to mount: the output of the prepare task that names it, the path, and the folder in it. ``fields`` are
    variables that have a field of the pod itself. ``own``: it is the user's own container. ``description`` is the first paragraph of the docstring.
    """

    id: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: StepOptions
    made_by: tuple[tuple[str, str, str], ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    own: bool = False
    description: str = ""


class Components:
    """The components of one compilation.

    ``logs`` are the names that a task may use. ``setup`` are tasks that run before everything else,
    ``carrier`` is one that never runs. ``boot`` is the command by which an exit handler gets the
    code where an artifact has it, for it takes none. ``routes`` are the ways of artifacts, if values
    travel so.
    """

    def __init__(
        self,
        wiring: Wiring,
        storage: Storage,
        settings: Settings,
        bundle: str,
        logs: Mapping[str, frozenset[str]],
        setup: tuple[Component, ...] = (),
        carrier: Component | None = None,
        boot: tuple[str, ...] = (),
        routes: Routes | None = None,
    ) -> None:
        self.wiring = wiring
        self.storage = storage
        self.settings = settings
        self.bundle = bundle
        self.logs = logs
        self.setup = setup
        self.carrier = carrier
        self.boot = boot
        self.routes = routes

    def waits(self, block: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What stands in a block, in an order in which it can run, and what each waits for."""
        scopes = self.wiring.scopes
        last: tuple[str, ...] = ()
        for component in self.setup if block == ROOT else ():
            yield component.id, last
            last = (component.id,)
        for id in scopes.children[block]:
            if id not in scopes.handlers:
                # Whatever waits for something else waits for the setup through that.
                yield id, tuple(scopes.waits[id]) or last

    def task(self, task: Task, *, handler: bool = False) -> Component:
        """The component of a task; the handler of an exit scope mounts no claim of another task."""
        task = replace(task, options=self._as_user(task.options))
        if isinstance(task.step, ContainerDef):
            return self._container(task, task.step)
        ports = self.wiring.inputs(task)
        files = [
            f"--file={name}={artifact_path('outputs' if wire.kind == 'own' else 'inputs', name)}"
            for name, wire in ((port.name, port.wire) for port in ports if port.reading == "file")
        ]
        inputs = {port.name: port.wire for port in ports if port.wire.kind != "own"}
        outputs = dict(self.wiring.outputs(task).values())
        files += self._add_shown([task], inputs, outputs)
        description = summary(task.step.description)
        made = self._python(task.id, task.options, inputs, outputs, files, description)
        if not handler:
            return made
        # It mounts some of the clones only, and others have looked at them before.
        checks = ("--mark=", "--room=")
        args = tuple(word for word in made.args if not word.startswith(checks))
        made = replace(made, made_by=(), args=args)
        if not self.boot:
            return made
        return replace(
            made,
            command=self.boot,
            inputs={**made.inputs, JOB: "str"},
            arguments={**made.arguments, JOB: JOB_NAME},
        )

    def pod(self, pod: SharedPod) -> Component:
        """The component of a shared pod; its options are those of any of its steps."""
        tasks = list(self.wiring.scopes.tasks_of(pod.id))
        added = self.wiring.lowered.added
        chosen = next((task for task in tasks if task.id not in added), tasks[0])
        names = [task.options.display_name or task.id for task in tasks if task.id not in added]
        options = replace(
            self._as_user(chosen.options), display_name=_listed(names), retries=None, timeout=None
        )
        wires = self.wiring.in_pod(pod.id)
        inputs = {wires.names[wire]: wire for wire in wires.inputs}
        outputs = {wires.names[wire]: wire.type for wire in wires.outputs}
        files = self._add_shown(tasks, inputs, outputs)
        return self._python(pod.id, options, inputs, outputs, files)

    def _add_shown(
        self, tasks: Iterable[Task], inputs: Mapping[str, Wire], outputs: dict[str, str]
    ) -> list[str]:
        """Add the artifacts that show what tasks log; the flags that say where their files are."""
        called = {name for task in tasks for name in self.logs.get(task.id, ())}
        files: list[str] = []
        for name, kind in (LOGGED[each] for each in sorted(LOGGED.keys() & called)):
            shown = identifier(name, (RUN, *outputs, *inputs))
            outputs[shown] = kind
            if kind == PAGE:
                files.append(f"--file={shown}={artifact_path('outputs', shown)}")
        return files

    def _as_user(self, options: StepOptions) -> StepOptions:
        if options.security_context is None:
            return replace(options, security_context=self.settings.user)
        return options

    def _python(
        self,
        id: str,
        options: StepOptions,
        wires: Mapping[str, Wire],
        outputs: Mapping[str, str],
        files: Iterable[str] = (),
        description: str = "",
    ) -> Component:
        """A component that runs the bundle."""
        # KFP distinguishes containers by their content alone, so the task is in it; the code is, too,
        # for the bundle is named by its digest.
        args = ("run", "--task", id)
        extra = ["--home", self.storage.home] if self.storage.home else []
        extra += ["--work", self.storage.work] if self.storage.work else []
        extra += [f"--package={package}" for package in options.packages]
        marked = [each for each in self.settings.clones if each.mark]
        extra += [f"--mark={each.path}={each.mark}" for each in marked]
        extra += [f"--room={self.settings.room}"] if self.settings.room else []
        return Component(
            id=id,
            image=options.image or self.settings.default_image,
            command=("python3", self.bundle),
            args=(*args, *extra, *files, "--executor-input", EXECUTOR_INPUT),
            inputs={RUN: "str", **{name: wire.type for name, wire in wires.items()}},
            outputs=outputs,
            arguments={RUN: self.settings.run or JOB_ID, **wires},
            options=replace(
                options,
                volumes=(*self.storage.volumes, *options.volumes),
                config_maps=(*self.storage.config_maps, *options.config_maps),
            ),
            made_by=self.storage.made_by,
            fields={NODE: NODE_FIELD} if self.wiring.is_repeated(id) else {},
            description=description,
        )

    def claims(self) -> dict[str, str]:
        """The parameters of a nested pipeline that hold claims, and what names them outside."""
        return {name: name for name, *_ in self.storage.made_by}

    def _container(self, task: Task, step: ContainerDef) -> Component:
        """The user's own container: its command, with KFP's placeholders in them."""
        call = self.wiring.lowered.calls[task.id]
        ports = self.wiring.inputs(task)
        arguments: dict[str, Any] = {port.name: port.wire for port in ports}
        inputs = {port.name: port.wire.type for port in ports}
        for name, expr in task.arguments.items():
            if isinstance(expr, Constant):
                arguments[name] = expr.value
                inputs[name] = "str"
        # Calls may differ in the types of their inputs only, which KFP does not distinguish.
        env = {**task.options.env, TASK: task.id}
        found = self.wiring.outputs(task)
        outputs = {output: port for (output, _), port in found.items()}

        def put(word: InputValue | InputPath | OutputPath) -> str:
            if isinstance(word, OutputPath):
                name, kind = outputs[word.name]
                return artifact_path("outputs", name) if kind == FILE else output_file(name)
            name = (call.files if isinstance(word, InputPath) else call.values).get(word.name, "")
            if not name:
                return ""
            return artifact_path("inputs", name) if inputs[name] == FILE else input_value(name)

        return Component(
            id=task.id,
            image=step.image,
            command=tuple(fill(step.command, put, call.present)),
            args=tuple(fill(step.args, put, call.present)),
            inputs=inputs,
            outputs=dict(found.values()),
            arguments=arguments,
            options=replace(task.options, env=env),
            own=True,
            description=summary(step.description),
        )


def _listed(names: Sequence[str]) -> str:
    """Some names, for people."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]} ({len(names)} steps)"
