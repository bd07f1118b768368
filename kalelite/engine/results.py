"""What has come out of a run so far, and how it looks from one place of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from kalelite.engine.transitions import Index, instance_name
from kalelite.errors import StepError
from kalelite.executor.spec import OutputEntry
from kalelite.frozen import mutable
from kalelite.plan.graph import Collected, Expr, ItemRef, OneOf, OutputRef
from kalelite.plan.order import Scopes

_At = tuple[str, Index]


class MissingError(Exception):
    """An expression has no value: a task that it comes from did not run or did not succeed.

    ``task`` is that instance; ``failed`` is False where a branch was not taken.
    """

    def __init__(self, task: str, *, failed: bool) -> None:
        super().__init__(task)
        self.task = task
        self.failed = failed


@mutable
class Results:
    """Outputs, loop items, taken branches and final statuses, by node and loop index."""

    scopes: Scopes
    parameters: Mapping[str, Any]
    read: Callable[[OutputEntry], Any] | None = None
    outputs: dict[_At, Mapping[str, OutputEntry]] = field(default_factory=dict)
    items: dict[_At, list[Any]] = field(default_factory=dict)
    choices: dict[_At, str] = field(default_factory=dict)
    statuses: dict[_At, dict[str, str]] = field(default_factory=dict)
    failed: set[_At] = field(default_factory=set)

    def entry(self, ref: OutputRef, index: Index) -> OutputEntry:
        """An output of an instance; raises MissingError."""
        try:
            return self.outputs[ref.task, index][ref.output]
        except KeyError:
            raise MissingError(
                instance_name(ref.task, index), failed=(ref.task, index) in self.failed
            ) from None

    def value(self, entry: OutputEntry, ref: OutputRef) -> Any:
        """The Python value of an output."""
        if "native" in entry:
            return entry["native"]
        if self.read is None:
            raise StepError(f"the output {ref.output!r} of {ref.task} is not a native value")
        return self.read(entry)


class ResultsView:
    """The results as one node sees them: ``loops`` stand around it, ``index`` is where in them."""

    def __init__(self, results: Results, loops: tuple[str, ...], index: Index) -> None:
        self._results = results
        self.loops = loops
        self._index = index

    def reading(self, read: Callable[[OutputEntry], Any]) -> ResultsView:
        """The same view, with values that are read by `read`."""
        return ResultsView(replace(self._results, read=read), self.loops, self._index)

    def parameter(self, name: str) -> Any:
        return self._results.parameters[name]

    def item(self, loop: str) -> Any:
        depth = self.loops.index(loop)
        return self._results.items[loop, self._index[:depth]][self._index[depth]]

    def within(self, loop: str) -> Index:
        """Where in the loop, and in those around it, this node is."""
        return self._index[: self.loops.index(loop) + 1]

    def output(self, ref: OutputRef) -> Any:
        return self._results.value(self.entry(ref), ref)

    def entry(self, ref: OutputRef) -> OutputEntry:
        """The output as its record holds it."""
        return self._results.entry(ref, self._index[: self._depth(ref)])

    def collected(self, expr: Collected) -> Any:
        ref = expr.source
        values = self.entries(expr)
        return _map(values, lambda entry: self._results.value(entry, ref))

    def entries(self, expr: Collected) -> list[Any]:
        """The outputs in all iterations, in item order, one list inside the other.

        None stands for an iteration in which a condition left the task out.
        """
        depth = self._depth(expr.source) - len(expr.loops)
        return self._gather(expr.source, expr.loops, self._index[:depth])

    def choice(self, expr: OneOf) -> Expr:
        sources = [
            [part.task for part in choice.walk() if isinstance(part, OutputRef)]
            for choice in expr.choices
        ]
        return expr.choices[self.taken(expr.switch, sources)]

    def taken(self, switch: str, sources: Sequence[Iterable[str]]) -> int:
        """Which of a switch's choices is of the branch that ran; raises MissingError.

        ``sources`` are the tasks that each choice takes values of. A choice without any is of
        the branch at its own position.
        """
        scopes = self._results.scopes
        branch = self._results.choices.get((switch, self._index[: len(scopes.loops[switch])]))
        if branch is None:
            raise MissingError(switch, failed=False)
        for position, tasks in enumerate(sources):
            if any(branch in scopes.around(task) for task in tasks):
                return position
        position = scopes.children[switch].index(branch)
        if position >= len(sources):
            raise MissingError(switch, failed=False)
        return position

    def status(self, scope: str) -> dict[str, str]:
        """How the body of an exit scope ended."""
        depth = len(self._results.scopes.loops[scope])
        return self._results.statuses[scope, self._index[:depth]]

    def require(self, expr: Expr) -> None:
        """Raise `MissingError` if the expression has no value."""
        if isinstance(expr, OutputRef):
            self.entry(expr)
        elif isinstance(expr, Collected):
            self.entries(expr)
        elif isinstance(expr, OneOf):
            self.require(self.choice(expr))
        elif not isinstance(expr, ItemRef):
            for child in expr.children():
                self.require(child)

    def _depth(self, ref: OutputRef) -> int:
        return len(self._results.scopes.loops[ref.task])

    def _gather(self, ref: OutputRef, loops: tuple[str, ...], index: Index) -> list[Any]:
        count = len(self._results.items.get((loops[0], index), ()))
        found: list[Any] = []
        for position in range(count):
            at = (*index, position)
            if len(loops) > 1:
                found.append(self._gather(ref, loops[1:], at))
                continue
            try:
                found.append(self._results.entry(ref, at))
            except MissingError as missing:
                if missing.failed:
                    raise
                found.append(None)
        return found


def _map(values: list[Any], convert: Callable[[OutputEntry], Any]) -> list[Any]:
    def one(value: Any) -> Any:
        if isinstance(value, list):
            return _map(value, convert)
        return None if value is None else convert(value)

    return list(map(one, values))
