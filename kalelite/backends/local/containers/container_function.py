"""A container step as a function: what it is given goes in, what it has written comes out.

To the rest of a local run a container step is a step like any other, whose function runs the image.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalelite.backends.local.containers.container_engine import mount
from kalelite.backends.local.containers.container_process import ContainerError, ContainerTerms, run
from kalelite.errors import UsageError
from kalelite.executor import container_io
from kalelite.frozen import frozen
from kalelite.plan.container_command import InputPath, InputValue, OutputPath, Word, fill
from kalelite.plan.graph import REQUIRED, ContainerDef, Plan, StepDef
from kalelite.plan.types.convert import convert

_INPUTS = "/kalelite/inputs"
_OUTPUTS = "/kalelite/outputs"

_terms: list[ContainerTerms] = []
"""A stack: the function of a step takes the step's inputs and nothing else."""


@contextlib.contextmanager
def on(terms: ContainerTerms) -> Iterator[None]:
    """Within the block, a `Container` that is called runs on these terms.

    Its files live as long as the block: until its outputs have been stored.
    """
    with tempfile.TemporaryDirectory(
        prefix="container-", dir=terms["folder"], ignore_cleanup_errors=True
    ) as folder:
        _terms.append({**terms, "folder": folder})
        try:
            yield
        finally:
            _terms.pop()


@frozen
class Container:
    """What a container step does, without where it does it."""

    name: str
    image: str
    command: tuple[Word, ...]
    args: tuple[Word, ...]
    inputs: tuple[str, ...]
    defaults: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.inputs])

    def __call__(self, **given: Any) -> tuple[Any, ...] | None:
        """Run the image; its outputs in order.

        Raises `KaleliteError` if an input is missing, the container fails, or an output is.
        """
        values = {**self.defaults, **given}
        for name in self.inputs:
            if name not in values:
                raise ContainerError(f"its input {name!r} has no value: what it comes from failed")
        terms = _terms[-1]  # a container is run within `on`
        files = _Files(values, Path(terms["folder"]))
        present = {name for name, value in values.items() if value is not None}
        command = fill(self.command, files.put, present)
        args = fill(self.args, files.put, present)
        run(terms, self.name, self.image, command, args, files.mounts)
        if not self.outputs:
            return None
        return tuple(_read(files.outputs / name, name, kind) for name, kind in self.outputs.items())


def as_functions(plan: Plan) -> Plan:
    """The plan with a `Container` as the function of each container step."""
    # Calls of one step are calls of one function.
    steps = {id(t.step): _as_step(t.step) for t in plan.tasks if isinstance(t.step, ContainerDef)}
    tasks = [replace(task, step=steps.get(id(task.step), task.step)) for task in plan.tasks]
    return replace(plan, tasks=tuple(tasks)) if steps else plan


def _as_step(step: ContainerDef) -> StepDef:
    inputs = step.inputs
    function = Container(
        name=step.name,
        image=step.image,
        command=step.command,
        args=step.args,
        inputs=tuple(inputs),
        defaults={n: p.default for n, p in inputs.items() if p.default is not REQUIRED},
        outputs={name: output.type for name, output in step.outputs.items()},
    )
    signature = function.__signature__
    return StepDef(step.name, function, signature, step.description, step.options, step.where)


class _Files:
    """The files of one container: what stands for a placeholder, and the mounts that this takes."""

    def __init__(self, values: Mapping[str, Any], folder: Path) -> None:
        self._values = values
        self._inputs = folder / "inputs"
        self._inputs.mkdir()
        self._paths: dict[str, str] = {}
        self.outputs = folder / "outputs"
        self.outputs.mkdir()
        # Whoever the image runs as; nobody else gets through the folder above.
        self.outputs.chmod(0o777)
        self.mounts = mount(self.outputs, _OUTPUTS)

    def put(self, placeholder: InputValue | InputPath | OutputPath) -> str:
        """The text for a placeholder."""
        if isinstance(placeholder, OutputPath):
            return f"{_OUTPUTS}/{placeholder.name}"
        if isinstance(placeholder, InputPath):
            if placeholder.name not in self._paths:
                self._paths[placeholder.name] = self._path(placeholder.name)
            return self._paths[placeholder.name]
        return container_io.text(self._values[placeholder.name], placeholder.name)

    def _path(self, name: str) -> str:
        """Where in the container the file of an input is."""
        source = value = self._values[name]
        if not isinstance(value, Path) or not value.exists():
            source = self._inputs / name
            container_io.give(value, str(source), name)
            source.chmod(0o644)
        target = f"{_INPUTS}/{name}{source.suffix}"
        self.mounts += mount(source, target, read_only=True)
        return target


def _read(path: Path, name: str, kind: Any) -> Any:
    """An output as its declared type; the path itself for a file."""
    container_io.take(str(path), name)
    if kind is Path:
        return path
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        # Numbers and JSON may end with a newline; of a text it is a part.
        return text if kind is str else convert(text.strip(), kind, name=name, text=True)
    except UsageError as error:
        reason = error.message.removeprefix(f"parameter {name}: ")
        raise ContainerError(f"its output {name!r}: {reason}", hint=error.hint) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ContainerError(f"its output {name!r} cannot be read: {reason}") from None
