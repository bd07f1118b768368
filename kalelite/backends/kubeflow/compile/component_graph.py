"""The compiled pipeline as plain data: components, the blocks around them, and wires between them.

This is all that kfp is given (`kalelite.backends.kubeflow.compile.to_ir`), and nothing of kfp is
in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kalelite.backends.kubeflow.compile.kfp_parameters import RootParameter
from kalelite.plan.options import StepOptions

__all__ = [
    "FILE",
    "Case",
    "Cases",
    "Comparison",
    "Component",
    "ComponentGraph",
    "Element",
    "ForEach",
    "Guarded",
    "Subpipeline",
    "Wire",
    "walk",
]


FILE = "file"
"""The type of files among the types of parameters, and the output of a task that writes one."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a parameter comes from.

    ``kind`` is "own" for the file that the task itself is to write. ``ids`` are the ids that it
    needs: of an output the task and the port, of collected values the task, the port and the loop,
    of a choice the switch and then a task and port for each branch. The type follows from these.
    """

    kind: Literal["parameter", "output", "item", "collected", "choice", "status", "own"]
    ids: tuple[str, ...]
    type: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A task or block: its id, the siblings that it waits for without a wire, and what is in it."""

    id: str
    waits: tuple[str, ...] = ()
    body: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Element):
    """A task.

    Attributes
    ----------
    image, command, args
        The container; KFP's own placeholders stand in its command.
    inputs, outputs
        Names and types.
    arguments
        A wire or a constant for each input.
    options
        Those of the step, with the volumes that the run adds.
    made_by
        Claims to mount: the task that makes it, and the path.
    optional
        Its inputs may be without a value: it runs after failures.
    description
        The first paragraph of the step's docstring.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: StepOptions = field(default_factory=StepOptions)
    made_by: tuple[tuple[str, str], ...] = ()
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that KFP decides; each side is a wire or a primitive."""

    op: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Element):
    """A branch; None is Else."""

    condition: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases(Element):
    """If, Elif and Else."""

    body: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach(Element):
    """A loop over a wire or constants; ``item`` is the wire that begins in it."""

    items: Wire | tuple[Any, ...]
    item: Wire
    parallelism: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded(Element):
    """A block with an exit handler."""

    handler: Component


@dataclass(frozen=True, slots=True, kw_only=True)
class Subpipeline(Element):
    """A nested pipeline: a graph of its own, with parameters and results by name.

    ``claims`` are the parameters that hold the name of a claim, with the task that makes it.
    """

    title: str
    inputs: Mapping[str, Wire]
    outputs: Mapping[str, Wire]
    claims: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ComponentGraph:
    """A pipeline; its parameters are by the names that the plan has for them."""

    name: str
    display_name: str
    description: str
    parameters: Mapping[str, RootParameter]
    body: tuple[Element, ...]


def walk(elements: Iterable[Element]) -> Iterator[Element]:
    """All elements, each before those that are in it."""
    for element in elements:
        yield element
        yield from walk(element.body)
