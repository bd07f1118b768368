"""Calls of the user's own containers, rewritten so that KFP can make them.

A container gets a value as a parameter of KFP, and a file as an artifact: KFP puts it on the
pod's disk before the container starts and takes it from there when it has ended, so a container
needs no volume and each attempt finds an empty disk. Values live in the store, where KFP does not
look, so a task before the container writes the file, and a task behind it takes a file over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.pod import builtin_steps as helpers
from kalelite.executor import container_io as files
from kalelite.plan.container_command import InputPath, InputValue, OutputPath, fill
from kalelite.plan.graph import (
    REQUIRED,
    Constant,
    ContainerDef,
    Expr,
    ItemRef,
    Loop,
    OneOf,
    OutputRef,
    Parameter,
    ParameterRef,
    Task,
)
from kalelite.plan.names import unique
from kalelite.plan.types.fit import native_name
from kalelite.plan.types.spelling import to_text

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.lower import Lowering

__all__ = ["FILE", "Call", "Containers", "given", "uses"]

FILE = "file"
"""The output of a task that writes a file, and the type of files among the types of parameters."""


def given(task: Task, step: ContainerDef) -> dict[str, Expr]:
    """The inputs that a call gives, and defaults; None is nothing."""
    found: dict[str, Expr] = {
        name: Constant(parameter.default)
        for name, parameter in step.inputs.items()
        if parameter.default is not REQUIRED
    }
    found.update(task.arguments)
    return {
        name: expr
        for name, expr in found.items()
        if not (isinstance(expr, Constant) and expr.value is None)
    }


def uses(step: ContainerDef, present: Collection[str]) -> tuple[set[str], set[str]]:
    """The inputs that the command of a call has as values, and those that it has as files."""
    values: set[str] = set()
    paths: set[str] = set()

    def note(word: InputValue | InputPath | OutputPath) -> str:
        if not isinstance(word, OutputPath):
            (paths if isinstance(word, InputPath) else values).add(word.name)
        return ""

    fill((*step.command, *step.args), note, present)
    return values, paths


@dataclass(frozen=True, slots=True)
class Call:
    """How a container is called.

    Attributes
    ----------
    arguments
        Of the rewritten task: parameters and artifacts of KFP.
    values, files
        The argument that brings the value of an input, and that which brings its file or path.
    present
        The inputs that are given, or that have a default.
    after
        Tasks whose values no word of the command takes.
    """

    arguments: Mapping[str, Expr]
    values: Mapping[str, str]
    files: Mapping[str, str]
    present: Collection[str]
    after: tuple[str, ...]


class Containers:
    """Rewrites the containers of one plan; ``givers`` are the tasks that write files for them."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.calls: dict[str, Call] = {}
        self.givers: set[str] = set()
        self.taken: dict[tuple[str, str], OutputRef] = {}

    def call(self, task: Task, step: ContainerDef) -> Call:
        """Rewrite a call."""
        present = given(task, step)
        values, paths = uses(step, present)
        arguments: dict[str, Expr] = {}
        texts: dict[str, str] = {}
        keys: dict[str, str] = {}
        after: list[str] = []
        for name, wanted in step.inputs.items():
            expr = present.get(name, Constant(None))
            is_path = wanted.type is Path or self.is_path(expr)
            if name in paths:
                keys[name] = unique(identifier(f"{name}_{FILE}"), arguments, separator="_")
                arguments[keys[name]] = self.file(expr, task, name)
            if name in present and (name in values or not (name in paths or is_path)):
                texts[name] = unique(identifier(name), arguments, separator="_")
                text = self.text(expr, name, task.parent) if is_path else None
                arguments[texts[name]] = text or self.value(expr, wanted, task.parent)
            elif name not in paths:
                after += [ref.task for ref in expr.walk() if isinstance(ref, OutputRef)]
        self.calls[task.id] = Call(arguments, texts, keys, frozenset(present), tuple(after))
        return self.calls[task.id]

    def file(self, expr: Expr, task: Task, name: str) -> Expr:
        """The file of an input: of another container, or one that a task writes."""
        if self.is_file(expr) and self.task_of(expr).parent == task.parent:
            return expr
        if isinstance(expr, Constant) and isinstance(expr.value, Path):
            path = expr.value
            if any(path.is_relative_to(volume.path) for volume in task.options.volumes):
                return Constant(str(path))
        arguments = {"value": self.lowering.rewrite(expr, task.parent), "name": Constant(name)}
        id = f"{task.id}-{name}-{FILE}"
        written = self.lowering.helper(id, files.give, arguments, task.parent, gives=True)
        self.givers.add(written.task)
        return written

    def take(self, ref: OutputRef) -> OutputRef:
        """The file of a container as a value of the store."""
        key = ref.task, ref.output
        if key not in self.taken:
            source = OutputRef(ref.task, ref.output)
            self.taken[key] = self.lowering.helper(
                f"{ref.task}-{ref.output}-{FILE}",
                files.take,
                {"path": source, "name": Constant(ref.output)},
                self.task_of(ref).parent,
                type=Path,
            )
        return OutputRef(self.taken[key].task, self.taken[key].output, ref.path)

    def text(self, expr: Expr, name: str, scope: str) -> Expr:
        """An input as text: of a file its content."""
        arguments = {"value": self.lowering.rewrite(expr, scope), "name": Constant(name)}
        return self.lowering.helper(f"{name}-value", files.text, arguments, scope, "str")

    def value(self, expr: Expr, wanted: Parameter, scope: str) -> Expr:
        """What a container can be given: a text, or a value that KFP itself carries."""
        lowering = self.lowering
        expr = lowering.rewrite(expr, scope)
        if isinstance(expr, Constant):
            # As it is spelled here: KFP rounds numbers, and knows no None in a list.
            return Constant(to_text(expr.value))
        if lowering.type_of(expr):
            return expr
        if (
            isinstance(expr, OutputRef)
            and not expr.path
            and lowering.tasks[expr.task].output(expr.output).native
        ):
            return expr
        if isinstance(expr, ItemRef) and not expr.path and expr.loop not in lowering.numbered:
            loop = lowering.blocks[expr.loop]
            if isinstance(loop, Loop) and isinstance(loop.items, Constant):
                return expr
        native = native_name(wanted.type) or "str"
        if native == "str":
            return self.text(expr, wanted.name, scope)
        return lowering.helper(f"{wanted.name}-value", helpers.same, {"value": expr}, scope, native)

    def is_path(self, expr: Expr) -> bool:
        """Whether an expression is certain to be a path."""
        if isinstance(expr, Constant):
            return isinstance(expr.value, Path)
        if isinstance(expr, OneOf):
            return all(map(self.is_path, expr.choices))
        if isinstance(expr, ParameterRef):
            return not expr.path and self.lowering.parameters[expr.name].type is Path
        if not isinstance(expr, OutputRef) or expr.path:
            return False
        return self.task_of(expr).output(expr.output).type is Path

    def is_file(self, expr: Expr) -> bool:
        """Whether an expression is a file that a container writes."""
        is_containers = isinstance(expr, OutputRef) and isinstance(
            self.task_of(expr).step, ContainerDef
        )
        return is_containers and self.is_path(expr)

    def task_of(self, expr: Any) -> Task:
        return self.lowering.tasks[expr.task]
