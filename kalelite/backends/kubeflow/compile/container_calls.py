"""Calls of the user's own containers, rewritten so that KFP can make them.

A container gets a value as a parameter of KFP, and a file as an artifact: KFP puts it on the
pod's disk before the container starts and takes it from there when it has ended, so a container
needs no volume and each attempt finds an empty disk. Values live in the store, where KFP does not
look, so a task before the container writes the file, and a task behind it takes a file over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from kalelite.backends.kubeflow.compile.escaping import identifier
from kalelite.backends.kubeflow.compile.rewriting import Rewriting
from kalelite.backends.kubeflow.pod import builtin_steps
from kalelite.executor import container_io
from kalelite.frozen import frozen
from kalelite.plan.container_command import InputPath, InputValue, OutputPath, fill
from kalelite.plan.graph import (
    REQUIRED,
    Constant,
    ContainerDef,
    Expr,
    ItemRef,
    Loop,
    Output,
    OutputRef,
    Parameter,
    Task,
)
from kalelite.plan.types.convert import to_text
from kalelite.plan.types.fit import native_name


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


@frozen
class Call:
    """How a container is called.

    ``arguments`` are those of the rewritten task: parameters and artifacts of KFP. ``values`` and
    ``files`` name the argument that brings the value of an input, and that which brings its file
    or path. ``present`` are the inputs that are given, or that have a default; ``after`` are
    tasks whose values the command does not take.
    """

    arguments: Mapping[str, Expr]
    values: Mapping[str, str]
    files: Mapping[str, str]
    present: Collection[str]
    after: tuple[str, ...]


def call_of(task: Task, step: ContainerDef, plan: Rewriting) -> Call:
    """How KFP calls a container; the tasks that this takes are added to the plan."""
    present = given(task, step)
    values, paths = uses(step, present)
    arguments: dict[str, Expr] = {}
    texts: dict[str, str] = {}
    files: dict[str, str] = {}
    after: list[str] = []
    for name, wanted in step.inputs.items():
        expr = present.get(name, Constant(None))
        is_path = wanted.type is Path or plan.is_path(expr)
        if name in paths:
            files[name] = identifier(f"{name}_file", arguments)
            arguments[files[name]] = _file(expr, task, name, plan)
        if name in present and (name in values or not (name in paths or is_path)):
            texts[name] = identifier(name, arguments)
            make = _text if is_path else _value
            arguments[texts[name]] = make(plan.rewrite(expr, task.parent), wanted, task, plan)
        elif name not in paths:
            after += [ref.task for ref in expr.outputs()]
    return Call(arguments, texts, files, frozenset(present), tuple(after))


def _file(expr: Expr, task: Task, name: str, plan: Rewriting) -> Expr:
    """The file of an input: of another container, or one that a task writes."""
    if (
        isinstance(expr, OutputRef)
        and plan.is_file(expr)
        and plan.tasks[expr.task].parent == task.parent
    ):
        return expr
    path = expr.value if isinstance(expr, Constant) else None
    mounts = [volume.path for volume in task.options.volumes]
    if isinstance(path, Path) and any(map(path.is_relative_to, mounts)):
        return Constant(str(path))
    arguments = {"value": plan.rewrite(expr, task.parent), "name": Constant(name)}
    return plan.add(f"{task.id}-{name}-file", container_io.give, arguments, task.parent, None)


def _text(expr: Expr, wanted: Parameter, task: Task, plan: Rewriting) -> Expr:
    """An input as text: of a file its content."""
    arguments = {"value": expr, "name": Constant(wanted.name)}
    output = Output("output", native="str")
    return plan.add(f"{wanted.name}-value", container_io.text, arguments, task.parent, output)


def _value(expr: Expr, wanted: Parameter, task: Task, plan: Rewriting) -> Expr:
    """What a container can be given: a text, or a value that KFP itself carries."""
    if isinstance(expr, Constant):
        # As it is spelled here: KFP rounds numbers, and knows no None in a list.
        return Constant(to_text(expr.value))
    if _is_carried(expr, plan) and not plan.leaves(expr, task.parent):
        return expr
    native = native_name(wanted.type) or "str"
    if native == "str":
        return _text(expr, wanted, task, plan)
    output = Output("output", native=native)
    name = f"{wanted.name}-value"
    return plan.add(name, builtin_steps.same, {"value": expr}, task.parent, output)


def _is_carried(expr: Expr, plan: Rewriting) -> bool:
    """Whether KFP itself carries a value that is no constant."""
    if isinstance(expr, OutputRef) and not expr.path:
        return plan.tasks[expr.task].output(expr.output).native is not None
    if isinstance(expr, ItemRef) and not expr.path and expr.loop not in plan.numbered:
        loop = plan.blocks[expr.loop]
        return isinstance(loop, Loop) and isinstance(loop.items, Constant)
    return plan.type_of(expr) is not None
