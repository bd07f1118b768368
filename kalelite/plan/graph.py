"""The Plan: what a pipeline is, as plain data.

Tracing makes it, checks and pictures read it, backends execute it. Nothing here runs user
code, and nothing here imports more than the standard library.

A plan is flat: ``tasks`` in call order and ``blocks`` in the order they were opened. A task or
block names the block that it stands in (``""`` is the pipeline itself), so a nested structure
is walked by ``parent`` links and no walk needs recursion deeper than the user's own nesting.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from kalelite.errors import Where
from kalelite.frozen import entity, frozen
from kalelite.plan.options import PipelineOptions, StepOptions

Key = str | int
"""What selects inside a value: ``ref["k"]`` or ``ref[0]``."""


class Expr:
    """A value that is known only when the pipeline runs, or a constant."""

    __slots__ = ()

    def children(self) -> tuple[Expr, ...]:
        """The expressions that this one is made of."""
        return ()

    def walk(self) -> Iterator[Expr]:
        """This expression and all below it."""
        stack: list[Expr] = [self]
        while stack:
            expr = stack.pop()
            yield expr
            stack.extend(reversed(expr.children()))

    def outputs(self) -> Iterator[OutputRef]:
        """The outputs of tasks that this expression takes."""
        return (part for part in self.walk() if isinstance(part, OutputRef))

    def sources(self) -> Iterator[str]:
        """The tasks and switches whose values this expression takes."""
        for part in self.walk():
            if isinstance(part, OutputRef):
                yield part.task
            elif isinstance(part, OneOf):
                yield part.switch


@entity
class Constant(Expr):
    """A Python object, as it was at the call."""

    value: Any


@frozen
class ParameterRef(Expr):
    """The value of a pipeline parameter, or a part of it."""

    name: str
    path: tuple[Key, ...] = ()


@frozen
class OutputRef(Expr):
    """An output of a task, or a part of it: ``ref["k"][0]`` has the path ``("k", 0)``."""

    task: str
    output: str
    path: tuple[Key, ...] = ()


@frozen
class ItemRef(Expr):
    """The current item of a ``ParallelFor``, or a part of it."""

    loop: str
    path: tuple[Key, ...] = ()


@frozen
class Collected(Expr):
    """An output of a task inside loops, seen from outside: the list of its values in item order.

    ``loops`` are the loops left behind, outermost first; two of them give a list of lists.
    """

    source: OutputRef
    loops: tuple[str, ...]

    def children(self) -> tuple[Expr, ...]:
        return (self.source,)


@frozen
class OneOf(Expr):
    """The value of whichever branch of a switch ran."""

    switch: str
    choices: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return self.choices


@frozen
class StatusRef(Expr):
    """How the body of an exit scope ended; only its handler may take it."""

    scope: str


@frozen
class Pack(Expr):
    """A container that holds expressions. ``type`` is list, tuple, dict or a NamedTuple class.

    For a dict, ``keys`` are its keys, which are constants, in the order of ``items``.
    """

    type: type
    items: tuple[Expr, ...]
    keys: tuple[Any, ...] = ()

    def children(self) -> tuple[Expr, ...]:
        return self.items


@frozen
class Compare(Expr):
    """``left op right`` with op one of ``== != < <= > >=``; each side a primitive."""

    op: str
    left: Expr
    right: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)


@frozen
class _Operands(Expr):
    operands: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return self.operands


class AllOf(_Operands):
    """True if every operand is."""

    __slots__ = ()


class AnyOf(_Operands):
    """True if one operand is."""

    __slots__ = ()


@frozen
class Negation(Expr):
    """True if the operand is not."""

    operand: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)


class _Required:
    """Marks a pipeline parameter that has no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()


@frozen
class Parameter:
    """A pipeline parameter. ``type`` is the resolved annotation, or the default's type, or None."""

    name: str
    type: Any = None
    default: Any = REQUIRED
    description: str = ""
    where: Where | None = None


@frozen
class Output:
    """One value that a task stores.

    ``index`` is None for the returned value as a whole, else the position in the returned tuple
    (or the position of the field, for a NamedTuple). ``native`` is the name of a primitive type
    (``int float str bool list dict``) when the step's return annotation promises one: such a
    value is also written as JSON into the record, for conditions, loops and the KFP UI.
    ``optional``: nothing takes it, and so it need be no value that can be stored.
    """

    name: str
    index: int | None = None
    native: str | None = None
    type: Any = None
    optional: bool = False


@entity
class StepDef:
    """A decorated function, or rather what a plan needs to know of it."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    description: str = ""
    options: StepOptions = field(default_factory=StepOptions)
    where: Where | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is a step of kalelite itself, such as `kalelite.snapshot`."""
        return str(getattr(self.function, "__module__", "")).startswith("kalelite.")


@entity
class ContainerDef:
    """A step that is a container image, not a Python function.

    ``command`` and ``args`` hold strings and expressions-by-name: ``InputValue``,
    ``InputPath`` and ``OutputPath`` placeholders of `kalelite.plan.container_command`.
    """

    name: str
    image: str
    command: tuple[Any, ...] = ()
    args: tuple[Any, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    options: StepOptions = field(default_factory=StepOptions)
    where: Where | None = None


@entity
class Task:
    """One call of a step.

    ``arguments`` are keyed by the function's parameter name, as `inspect.BoundArguments` holds
    them: a ``*args`` parameter maps to a Pack of a tuple, a ``**kwargs`` parameter to a Pack of
    a dict; parameters left at the function's own default are absent. ``arity`` is how many
    values the step has to return, None if the value is kept whole.
    """

    id: str
    step: StepDef | ContainerDef
    arguments: Mapping[str, Expr]
    outputs: tuple[Output, ...]
    arity: int | None = None
    after: tuple[str, ...] = ()
    options: StepOptions = field(default_factory=StepOptions)
    parent: str = ""
    where: Where | None = None

    def output(self, name: str) -> Output:
        """The output of that name."""
        return next(output for output in self.outputs if output.name == name)


@frozen
class Block:
    """A ``with`` block or a nested pipeline; ``parent`` is the block it stands in."""

    id: str
    parent: str = ""
    where: Where | None = None


@frozen
class Switch(Block):
    """An If/Elif/Else chain; its children are Branch blocks, at most one of which runs."""


@frozen
class Branch(Block):
    """One case of a switch; ``condition`` is None for Else."""

    condition: Expr | None = None


@frozen
class Loop(Block):
    """A ``ParallelFor``: its body runs once for each item.

    ``per_pod``: a backend with pods runs so many items in one.
    """

    items: Expr = Constant(())
    parallelism: int | None = None
    per_pod: int | None = None


@frozen
class ExitScope(Block):
    """An ``ExitHandler``: the handler task runs when the body has ended, however it ended."""

    handler: str = ""


@frozen
class Group(Block):
    """A pipeline called inside a pipeline."""

    name: str = ""


@frozen
class OnePod(Group):
    """A ``with Together():``: a backend with pods runs all that is in it in one."""

    name: str = "together in one pod"


@frozen
class SharedPod(Block):
    """Tasks and whole blocks that a backend runs in one pod; it is none of the user's."""


@frozen
class Batches(Block):
    """A pod for each batch of a loop's items; ``numbers`` are those of the batches. As `SharedPod`."""

    numbers: Expr = Constant(())
    loop: str = ""


@entity
class Plan:
    """A whole pipeline. ``result`` is what its function returned, None if nothing.

    ``result_where`` is its ``return``, where that is plain.
    """

    name: str
    tasks: tuple[Task, ...] = ()
    blocks: tuple[Block, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    result: Expr | None = None
    options: PipelineOptions = field(default_factory=PipelineOptions)
    description: str = ""
    where: Where | None = None
    result_where: Where | None = None

    def task(self, id: str) -> Task:
        """The task with that id."""
        return next(task for task in self.tasks if task.id == id)


def subscripts(path: Iterable[Key]) -> str:
    """The path of a reference as Python writes it."""
    return "".join(f"[{key!r}]" for key in path)


def at_line(block: Block) -> str:
    """Where a block begins, to be put behind its name."""
    return f" (line {block.where.line})" if block.where is not None else ""
