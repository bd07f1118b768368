"""Each task as a component: image, command, parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.compile.component_graph import Component
from kalelite.backends.kubeflow.compile.escaping import summary
from kalelite.backends.kubeflow.compile.inline_program import inline
from kalelite.backends.kubeflow.compile.mounts import Creation, Storage
from kalelite.backends.kubeflow.compile.placeholders import (
    EXECUTOR_INPUT,
    JOB_ID,
    JOB_NAME,
    artifact_path,
    input_value,
    output_file,
)
from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.backends.kubeflow.compile.rewriting import FILE
from kalelite.backends.kubeflow.compile.stage import Part
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.plan.container_command import InputPath, InputValue, OutputPath, fill
from kalelite.plan.graph import Constant, ContainerDef, Task
from kalelite.plan.options import StepOptions
from kalelite.plan.options.values import SecurityContext, Volume
from kalelite.volumes import provision

__all__ = ["Components"]

TASK = "KALELITE_TASK"
"""A variable of every container of the user's own; it makes each of them another one for KFP."""


class Components:
    """Makes the components of one compilation."""

    def __init__(self, wiring: Wiring, storage: Storage, settings: Settings, bundle: str) -> None:
        self.wiring = wiring
        self.storage = storage
        self.settings = settings
        self.bundle = bundle

    def task(self, task: Task, *, handler: bool = False) -> Component:
        """The component of a task; the handler of an exit scope mounts no claim of another task."""
        if isinstance(task.step, ContainerDef):
            return self._container(task, task.step)
        ports = self.wiring.inputs(task, taken=(RUN,))
        # KFP tells containers apart by their content alone, so the task is in it; the code is, too,
        # for the bundle is named by its digest.
        args = ("run", "--task", task.id, "--home", self.storage.home)
        words = [f"--package={package}" for package in task.options.packages]
        words += [
            f"--file={name}={artifact_path('outputs' if wire.kind == 'own' else 'inputs', name)}"
            for name, wire in ((port.name, port.wire) for port in ports if port.reading == "file")
        ]
        inputs = {RUN: "str"}
        arguments: dict[str, Any] = {RUN: JOB_ID}
        for port in ports:
            if port.wire.kind != "own":
                inputs[port.name] = port.wire.type
                arguments[port.name] = port.wire
        return Component(
            id=task.id,
            image=task.options.image or self.settings.default_image,
            command=("python3", self.bundle),
            args=(*args, *words, "--executor-input", EXECUTOR_INPUT),
            inputs=inputs,
            outputs=dict(self.wiring.outputs(task).values()),
            arguments=arguments,
            options=self._options(task),
            made_by=() if handler else self._made_by(),
            optional=bool(task.options.ignore_failures),
            description=summary(task.step.description),
        )

    def creation(self, creation: Creation) -> Component:
        """The task that makes a claim for the run."""
        args = ["--name", input_value("job")]
        if creation.suffix:
            args.append(f"--suffix={creation.suffix}")
        args += ["--size", creation.size, "--run", input_value(RUN)]
        args += ["--output", output_file("name")]
        for mode in creation.modes:
            args += ["--mode", mode]
        if creation.storage_class is not None:
            args += ["--storage-class", creation.storage_class]
        if creation.snapshot:
            args += ["--snapshot", creation.snapshot]
        return Component(
            id=creation.task,
            image=self.settings.default_image,
            command=tuple(inline(provision)),
            args=tuple(args),
            inputs={"job": "str", RUN: "str"},
            outputs={"name": "str"},
            arguments={"job": JOB_NAME, RUN: JOB_ID},
        )

    def stage(self, part: Part) -> Component:
        """A task that writes a part of the bundle.

        It runs as the image's user, root in a stock image: the owner of a new volume.
        """
        return Component(
            id="stage" if part.number == 1 else f"stage-{part.number}",
            image=self.settings.default_image,
            command=part.command,
            args=part.args,
            options=StepOptions(volumes=self._volumes()),
        )

    def _options(self, task: Task) -> StepOptions:
        """The options of a task, with the run's own volumes and user."""
        options = task.options
        if not isinstance(task.step, ContainerDef):
            options = replace(options, volumes=(*self._volumes(), *options.volumes))
        user = SecurityContext(self.settings.run_as_user, self.settings.run_as_group)
        if user != SecurityContext() and options.security_context is None:
            options = replace(options, security_context=user)
        return options

    def _volumes(self) -> tuple[Volume, ...]:
        return tuple(Volume(m.claim, m.path) for m in self.storage.mounts if m.claim)

    def claims(self) -> dict[str, str]:
        """The parameters of a nested pipeline that hold claims, with the tasks that make them."""
        makers = dict.fromkeys(maker for maker, _ in self._made_by())
        return {f"claim_{number}": maker for number, maker in enumerate(makers, 1)}

    def _made_by(self) -> tuple[tuple[str, str], ...]:
        return tuple((m.made_by, m.path) for m in self.storage.mounts if m.made_by)

    def _container(self, task: Task, step: ContainerDef) -> Component:
        """The user's own container: its words, with KFP's placeholders in them."""
        call = self.wiring.lowered.calls[task.id]
        ports = self.wiring.inputs(task)
        arguments: dict[str, Any] = {port.name: port.wire for port in ports}
        inputs = {port.name: port.wire.type for port in ports}
        for name, expr in task.arguments.items():
            if isinstance(expr, Constant):
                arguments[name] = expr.value
                inputs[name] = "str"
        options = self._options(task)
        # Calls may differ in the types of their inputs only, which KFP does not tell apart.
        options = replace(options, env={**options.env, TASK: task.id})
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
            options=options,
            description=summary(step.description),
        )
