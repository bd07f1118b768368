"""Blocks in a pipeline's body: ``with If(...)``, ``ParallelFor(...)``, ``ExitHandler(...)``, ``Together()``.

Type checkers see a step's result as the value itself, so they see `ParallelFor` give an item of
its list, `Collected` a list of what it is given, and `OneOf` one of its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Self, TypeVar, cast

from kalelite.authoring.trace.block import ControlBlock
from kalelite.authoring.trace.operands import condition_of, handler_of, items_of_loop
from kalelite.authoring.trace.proxies import ValueProxy
from kalelite.plan.graph import Branch, ExitScope, Expr, ItemRef, Loop, OnePod, Switch

T = TypeVar("T")


class If(ControlBlock):
    """Run the steps of the block if a condition holds.

    Parameters
    ----------
    condition
        A comparison of step results and pipeline parameters with ``== != < <= > >=``, several
        of them joined with ``&``, ``|`` and ``~`` (each in brackets), or a result that is a bool.
        Results have to be annotated in their step as ``int``, ``float``, ``str`` or ``bool``.

    Raises
    ------
    PipelineError
        Outside of a pipeline's body. Other mistakes are reported with all those of the pipeline.

    Examples
    --------
    ::

        with If((accuracy > 0.9) & (rounds < 10)):
            deploy(model)
        with Elif(accuracy > 0.8):
            review(model)
        with Else():
            report(accuracy)
    """

    _example = "value > 3"

    def __init__(self, condition: object) -> None:
        super().__init__()
        self._condition: Expr | None = condition_of(self._trace, condition, self._where)

    def __enter__(self) -> Self:
        trace = self._trace
        switch = Switch(trace.new_id("if"), trace.parent, self._where)
        trace.open(switch)
        return self._enter_branch(switch)

    def _enter_branch(self, switch: Switch) -> Self:
        trace = self._trace
        kind = type(self).__name__.lower()
        id = trace.new_id(f"{switch.id}-{kind}" if kind != "if" else f"{switch.id}-then")
        self._switch = switch
        self._open(Branch(id, switch.id, self._where, self._condition))
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if isinstance(self.block, Branch):
            self._trace.close(self._switch)
            self._trace.end_branch(self.block, self._switch)


class Elif(If):
    """Run the steps of the block if no block before it ran and the condition holds.

    It has to follow an `If` or `Elif`, with no other block between.
    """

    def __enter__(self) -> Self:
        switch = self._trace.open_switch()
        if switch is None:
            name = type(self).__name__
            self._trace.problem(
                "elif",
                f"{name} does not follow an If or Elif",
                f"Write it after the block of `with If(...):`, without another block between, or "
                f"{'write `with If(...):`' if name == 'Elif' else 'leave it out'}.",
                where=self._where,
            )
            return super().__enter__()
        self._trace.parents.append(switch.id)
        return self._enter_branch(switch)


class Else(Elif):
    """Run the steps of the block if no block before it ran.

    It has to follow an `If` or `Elif`, with no other block between.
    """

    _example = ""

    def __init__(self) -> None:
        ControlBlock.__init__(self)
        self._condition = None


class ParallelFor(ControlBlock, Generic[T]):
    """Run the steps of the block once for each item of a list, side by side.

    Parameters
    ----------
    items
        A list of numbers, texts, bools, dicts or lists: a constant, a pipeline parameter
        annotated ``list``, or a result of a step annotated ``-> list``.
    parallelism
        How many items are worked on at once, at most; all of them by default.
    per_pod
        On Kubeflow Pipelines, how many items share a pod; each item of each step has its own by
        default, or as ``pods=`` of the pipeline says.

    Raises
    ------
    PipelineError
        Outside of a pipeline's body. Other mistakes are reported with all those of the pipeline.

    Examples
    --------
    ::

        with ParallelFor([{"rate": 0.1}, {"rate": 0.01}], parallelism=2) as item:
            score = train(data, item["rate"])
        best(Collected(score))
    """

    _example = "[1, 2, 3], parallelism=2"

    def __init__(
        self,
        items: Iterable[T],
        *,
        parallelism: int | None = None,
        per_pod: int | None = None,
    ) -> None:
        super().__init__()
        self._items, self._width = items_of_loop(self._trace, items, self._where)
        self._parallelism = self._count("parallelism", parallelism, "to work on at once")
        self._per_pod = self._count("per_pod", per_pod, "that share a pod")

    def _count(self, name: str, value: int | None, what: str) -> int | None:
        """A number of items; a problem is reported if it is none."""
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        self._trace.problem(
            name,
            f"{name}={value!r} is not a number of items {what}",
            "Write a whole number from 1 on, or leave it out for no limit.",
            where=self._where,
        )
        return None

    def __enter__(self) -> T:
        trace = self._trace
        loop = Loop(
            trace.new_id("for"),
            trace.parent,
            self._where,
            self._items,
            self._parallelism,
            self._per_pod,
        )
        self._open(loop)
        return cast("T", ValueProxy(trace, ItemRef(loop.id), width=self._width))


class ExitHandler(ControlBlock):
    """Run a step when the steps of the block have ended, whatever became of them.

    Parameters
    ----------
    handler
        What the call of the handler step returned. The handler takes constants and pipeline
        parameters only; a parameter of it annotated with `FinalStatus` receives how the block
        ended.

    Raises
    ------
    PipelineError
        Outside of a pipeline's body. Other mistakes are reported with all those of the pipeline.

    Examples
    --------
    ::

        with ExitHandler(clean_up(folder)):
            train(load(folder))
    """

    _example = "clean_up(...)"

    def __init__(self, handler: object) -> None:
        super().__init__()
        self._handler = handler_of(self._trace, handler, self._where)

    def __enter__(self) -> Self:
        trace = self._trace
        scope = trace.new_id("exit")
        handler = self._handler
        if handler is not None:
            handler.handle(scope)
        self._open(ExitScope(scope, trace.parent, self._where, handler.id if handler else ""))
        return self


class Together(ControlBlock):
    """Run the steps of the block in one pod on Kubeflow Pipelines, where each has one of its own.

    They have to need the same pod: image, resources, volumes. As with a nested pipeline, what takes
    a result of the block starts when all of the block has ended, wherever the pipeline runs.

    Raises
    ------
    PipelineError
        Outside of a pipeline's body. Other mistakes are reported with all those of the pipeline.

    Examples
    --------
    ::

        with Together():
            table = clean(load(path))
            columns = names_of(table)
        train(table, columns)
    """

    def __enter__(self) -> Self:
        trace = self._trace
        self._open(OnePod(trace.new_id("together"), trace.parent, self._where))
        return self
