"""Steps that are container images, not Python functions.

    count = container_step(
        "count",
        image="busybox:1.36",
        command=["sh", "-c", 'wc -l < "$0" > "$1"', InputPath("text"), OutputPath("lines")],
        inputs={"text": Path},
        outputs={"lines": int},
    )

It is called in a pipeline like any step: ``lines = count(text)``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from kalelite.authoring.callable_step import CallableStep
from kalelite.authoring.container.component_file import load
from kalelite.authoring.container.declaration import check, inputs_of, outputs_of, words_of
from kalelite.authoring.trace.calls import record
from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.graph import REQUIRED, ContainerDef
from kalelite.plan.options import STEP_OPTIONS, ContainerKeywords, step_options
from kalelite.source import locations as places


class ContainerStep(CallableStep):
    """A container image that can be called in a pipeline.

    One output is the result of the call; several can be unpacked, or taken by name.
    """

    definition: ContainerDef

    def __init__(self, definition: ContainerDef, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(definition, problems, _signature(definition))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Add a task to the pipeline whose body is running."""
        frame = sys._getframe(1)
        recorded = record(self, args, kwargs, frame)
        if recorded is None:
            raise UsageError(
                f"{self.name!r} is a container; it has no Python function to call",
                hint="Call it in the body of a pipeline.",
                where=places.of_frame(frame),
            )
        return recorded

    def options(
        self, *, name: str | None = None, **options: Unpack[ContainerKeywords]
    ) -> ContainerStep:
        """The same step with other options, for one call."""
        where = places.of_frame(sys._getframe(1))
        settings: dict[str, Any] = {"name": name, **options}
        refused = [
            Problem(
                f"{option.name} is fixed for the container step {self.name!r}",
                option.container,
                where,
            )
            for option in STEP_OPTIONS
            if option.container and settings.pop(option.name, None) is not None
        ]
        given, problems = step_options(where, **settings)
        return self._with_options(given, (*refused, *problems))

    def __repr__(self) -> str:
        return f"<container step {self.name}>"


def container_step(
    name: str,
    image: str,
    command: Iterable[Any] = (),
    args: Iterable[Any] = (),
    inputs: Mapping[str, Any] | Iterable[str] = (),
    outputs: Mapping[str, Any] | Iterable[str] = (),
    **options: Unpack[ContainerKeywords],
) -> ContainerStep:
    """Make a container image a step of pipelines.

    Parameters
    ----------
    name
        What the step is called.
    image
        The image that it runs.
    command, args
        Words: texts, and `InputValue`, `InputPath`, `OutputPath`, `Concat` and `IfPresent` for
        what is known only at run time. Without a command the image's own one runs.
    inputs
        Name and type of each input: a primitive (``int float str bool list dict``) or ``Path``
        for a file; another value is a default, whose type counts. A list of names is all ``str``.
    outputs
        Name and type of each output, likewise.
    options
        As of `kalelite.step`, but for ``packages``.

    Returns
    -------
    ContainerStep
        What is called in a pipeline. Its mistakes are reported with the pipeline's.
    """
    where = places.of_frame(sys._getframe(1))
    settings: dict[str, Any] = {**options}
    problems: list[Problem] = []
    if settings.pop("packages", None):
        hint = "Build an image that holds them."
        problems.append(Problem("packages cannot be installed into a container step", hint, where))
    parsed, wrong = step_options(where, **settings)
    _, unfit = step_options(where, name=name, image="" if image is None else image)
    problems += [*unfit, *wrong]
    definition = ContainerDef(
        name=name,
        image=image,
        command=words_of(command, "command", where, problems),
        args=words_of(args, "args", where, problems),
        inputs=inputs_of(inputs, where, problems),
        outputs=outputs_of(outputs, where, problems),
        options=parsed,
        where=where,
    )
    problems = [replace(each, where=_place(each, where)) for each in problems]
    problems += check(definition)
    return ContainerStep(definition, tuple(problems))


def _place(problem: Problem, where: Where) -> Where | None:
    """The argument that a problem begins with, or else the place that it has."""
    name = problem.message.partition(":")[0].partition("=")[0]
    return places.of_keyword(where, name) if problem.where == where else problem.where


def load_component(source: str | Path) -> ContainerStep:
    """Make a KFP component a step: the path of its YAML file, or the YAML itself.

    Understands ``component.yaml`` of KFP v1 and compiled container components of KFP v2.

    Raises
    ------
    UsageError
        The file cannot be read, is no component, or is one that only KFP's SDK can run.
    """
    where = places.of_frame(sys._getframe(1))
    definition = load(source, where)
    return ContainerStep(definition, tuple(check(definition)))


def _signature(definition: ContainerDef) -> inspect.Signature:
    """How a container step is called: its inputs in order, those with a default last."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(
            entry.name,
            kind,
            default=inspect.Parameter.empty if entry.default is REQUIRED else entry.default,
            annotation=entry.type,
        )
        for entry in definition.inputs.values()
    ]
    parameters.sort(key=lambda entry: entry.default is not inspect.Parameter.empty)
    return inspect.Signature(parameters)
