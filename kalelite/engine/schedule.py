"""What runs next: a state machine from a plan and the outcomes of its tasks. No I/O, no clock.

It has KFP v2's semantics. A node starts when all that it waits for has succeeded. Where one of
them failed, it is *not run*; where one was skipped, it is *skipped*, unless it tolerates that.
A lone ``If`` that is not taken counts as skipped, so what comes after it is skipped too; an
``If`` with an ``Elif`` or ``Else`` counts as done even where no branch is taken. A failure stops
nothing but what depends on it. A handler runs once its scope has ended, if that ever began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kalelite.engine.evaluate import Entry, Missing, evaluate
from kalelite.engine.outline import ROOT, Node, Outline, outline
from kalelite.engine.results import Place, Results
from kalelite.engine.transitions import (
    Change,
    Expanded,
    Index,
    Instance,
    Outcome,
    Ready,
    Result,
    Skipped,
    State,
    Trouble,
    instance_name,
)
from kalelite.errors import KaleliteError
from kalelite.plan.graph import Branch, Loop, Plan, Switch, Task

__all__ = ["Schedule"]


@dataclass(slots=True)
class _Frame:
    """A scope that runs: one execution of a block's body, or the pipeline itself."""

    scope: str
    index: Index
    waiting: dict[str, int]
    results: dict[str, Result] = field(default_factory=dict)


@dataclass(slots=True)
class _LoopRun:
    frame: _Frame
    node: Node
    items: list[Any]
    started: int = 0
    results: list[Result] = field(default_factory=list)


class Schedule:
    """Decides what may start.

    Parameters
    ----------
    plan
        A checked plan.
    parameters
        A value for every pipeline parameter.
    read
        Gives the Python value of an output that is not native.
    """

    def __init__(
        self,
        plan: Plan,
        parameters: Mapping[str, Any],
        read: Callable[[Entry, tuple[str | int, ...]], Any] | None = None,
    ) -> None:
        self.outline: Outline = outline(plan)
        self.results = Results(self.outline, parameters, read)
        self._frames: dict[tuple[str, Index], _Frame] = {}
        self._loops: dict[tuple[str, Index], _LoopRun] = {}
        self._queue: deque[Callable[[], None]] = deque()
        self._changes: list[Change] = []
        self._interrupted = False
        self._end: Result | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to start or to wait for."""
        return self._end is not None

    @property
    def state(self) -> str:
        """One of "running", "succeeded", "failed" and "interrupted"."""
        if self._end is None:
            return "running"
        if self._interrupted:
            return "interrupted"
        return "succeeded" if self._end.state is State.SUCCEEDED else "failed"

    def start(self) -> list[Change]:
        """Begin; tells what is ready at once."""
        self._open(ROOT, ())
        return self._settle()

    def finish(self, instance: Instance, outcome: Outcome) -> list[Change]:
        """Take in how an instance ended; tells what that makes ready, and what it rules out."""
        frame = self._frames[self.outline.nodes[instance.task].parent, instance.index]
        state = State(outcome.state)
        if state is State.SUCCEEDED:
            self.results.put(instance.task, instance.index, outcome.outputs)
            result = Result(state)
        else:
            reason = f"{instance.name} {'failed' if state is State.FAILED else 'was stopped'}"
            result = Result(state, reason, instance.name, outcome.message)
        self._close(frame, instance.task, result)
        return self._settle()

    def interrupt(self) -> list[Change]:
        """Start nothing more, except the handlers of exit scopes that have begun."""
        self._interrupted = True
        return self._settle()

    def scene(self, instance: Instance) -> Place:
        """What the expressions of an instance see."""
        return Place(self.results, self.outline.nodes[instance.task].loops, instance.index)

    def _settle(self) -> list[Change]:
        while self._queue:
            self._queue.popleft()()
        changes, self._changes = self._changes, []
        return changes

    def _open(self, scope: str, index: Index) -> None:
        """Start the body of a scope."""
        children = self.outline.children[scope]
        nodes = self.outline.nodes
        frame = _Frame(scope, index, {id: len(nodes[id].waits) for id in children})
        self._frames[scope, index] = frame
        for id in children:
            if not nodes[id].waits:
                self._queue.append(partial(self._begin, frame, id))
        if not children:
            self._shut(frame)

    def _begin(self, frame: _Frame, id: str) -> None:
        """Everything that the node waits for has ended: start it, or rule it out."""
        node = self.outline.nodes[id]
        obstacle = self._obstacle(frame, node)
        if obstacle is not None:
            self._rule_out(frame, node, obstacle)
            return
        try:
            match node.item:
                case Task() as task:
                    absent = self._absent(task, frame)
                    self._changes.append(Ready(Instance(id, frame.index), absent))
                case Switch():
                    self._begin_switch(frame, node)
                case Loop() as loop:
                    self._begin_loop(frame, node, loop)
                case _:
                    self._open(id, frame.index)
        except Missing as missing:
            state = State.NOT_RUN if missing.failed else State.SKIPPED
            verb = "failed" if missing.failed else "was skipped"
            result = Result(state, f"{missing.task} {verb}", missing.task)
            self._rule_out(frame, node, result)
        except KaleliteError as error:
            self._changes.append(Trouble(id, error.message))
            for below in self.outline.tasks_below(id):
                name = instance_name(below.id, frame.index)
                self._changes.append(Skipped(name, State.NOT_RUN.value, error.message))
            self._close(frame, id, Result(State.FAILED, error.message, id, error.message))

    def _obstacle(self, frame: _Frame, node: Node) -> Result | None:
        """Why a node may not start, None if it may."""
        if node.scope:
            scope = frame.results[node.scope]
            return scope if scope.state in (State.SKIPPED, State.NOT_RUN) else None
        if self._interrupted:
            return Result(State.NOT_RUN, "the run was interrupted")
        if isinstance(node.item, Task) and node.item.options.ignore_failures:
            return None
        results = [frame.results[other] for other in node.waits]
        bad = (State.FAILED, State.NOT_RUN, State.CANCELLED)
        for result in results:
            if result.state in bad:
                return Result(State.NOT_RUN, result.reason, result.culprit, result.message)
        for other, result in zip(node.waits, results, strict=True):
            if result.state is State.SKIPPED:
                name = instance_name(other, frame.index)
                return Result(State.SKIPPED, f"{name} was skipped: {_cause(result)}")
        return None

    def _absent(self, task: Task, frame: _Frame) -> tuple[str, ...]:
        """Arguments without a value that a tolerant task leaves to their defaults."""
        node = self.outline.nodes[task.id]
        place = Place(self.results, node.loops, frame.index)
        tolerant = bool(node.scope or task.options.ignore_failures)
        if node.scope:
            self.results.statuses[node.scope, frame.index] = _status(frame.results[node.scope])
        missing = {
            name: cause
            for name, value in task.arguments.items()
            if (cause := place.missing(value)) is not None
        }
        for name, cause in missing.items():
            if not (tolerant and _has_default(task, name)):
                raise cause
        return tuple(missing)

    def _begin_switch(self, frame: _Frame, node: Node) -> None:
        """Take the first branch whose condition holds and rule out the others."""
        place = Place(self.results, node.loops, frame.index)
        branches = [self.outline.nodes[id] for id in self.outline.children[node.id]]
        taken = None
        for branch in branches:
            assert isinstance(branch.item, Branch)
            if branch.item.condition is None or evaluate(branch.item.condition, place):
                taken = branch
                break
        for branch in branches:
            if branch is not taken:
                self._tell_skipped(branch, frame.index, _why_not(branch, taken, branches))
        if taken is not None:
            self.results.choices[node.id, frame.index] = taken.id
            self._open(taken.id, frame.index)
        elif len(branches) == 1:
            self._close(frame, node.id, Result(State.SKIPPED, _why_not(branches[0], None, [])))
        else:
            self._close(frame, node.id, Result(State.SUCCEEDED))

    def _begin_loop(self, frame: _Frame, node: Node, loop: Loop) -> None:
        items = evaluate(loop.items, Place(self.results, node.loops, frame.index))
        if not isinstance(items, list | tuple):
            kind = type(items).__name__
            raise KaleliteError(f"a ParallelFor goes over a list, and this is a {kind}")
        self.results.items[node.id, frame.index] = items = list(items)
        self._changes.append(Expanded(instance_name(node.id, frame.index), len(items)))
        run = _LoopRun(frame, node, items)
        self._loops[node.id, frame.index] = run
        width = loop.parallelism or len(items)
        for _ in range(min(width, len(items))):
            self._next_item(run)
        if not items:
            self._close(frame, node.id, Result(State.SUCCEEDED))

    def _next_item(self, run: _LoopRun) -> None:
        if run.started < len(run.items):
            run.started += 1
            self._open(run.node.id, (*run.frame.index, run.started - 1))

    def _shut(self, frame: _Frame) -> None:
        """The body of a scope has ended: close the node that it belongs to."""
        result = _total(frame.results.values())
        if frame.scope == ROOT:
            self._end = result
            return
        del self._frames[frame.scope, frame.index]
        node = self.outline.nodes[frame.scope]
        if isinstance(node.item, Loop):
            run = self._loops[node.id, frame.index[:-1]]
            run.results.append(result)
            self._queue.append(partial(self._next_item, run))
            if len(run.results) == len(run.items):
                self._close(run.frame, node.id, _total(run.results))
            return
        if isinstance(node.item, Branch):
            node = self.outline.nodes[node.parent]
        self._close(self._frames[node.parent, frame.index], node.id, result)

    def _close(self, frame: _Frame, id: str, result: Result) -> None:
        """A node has ended: count down those that wait for it."""
        frame.results[id] = result
        if result.state in (State.FAILED, State.NOT_RUN, State.CANCELLED):
            self.results.failed.add((id, frame.index))
        for user in self.outline.nodes[id].users:
            frame.waiting[user] -= 1
            if not frame.waiting[user]:
                self._queue.append(partial(self._begin, frame, user))
        if len(frame.results) == len(frame.waiting):
            self._shut(frame)

    def _rule_out(self, frame: _Frame, node: Node, result: Result) -> None:
        for below in self.outline.tasks_below(node.id):
            name = instance_name(below.id, frame.index)
            self._changes.append(Skipped(name, result.state.value, result.reason))
        self._close(frame, node.id, result)

    def _tell_skipped(self, branch: Node, index: Index, reason: str) -> None:
        for below in self.outline.tasks_below(branch.id):
            name = instance_name(below.id, index)
            self._changes.append(Skipped(name, State.SKIPPED.value, reason))


def _total(results: Iterable[Result]) -> Result:
    """How a scope ended, given how the nodes in it did."""
    worst = Result(State.SUCCEEDED)
    for result in results:
        if result.state is State.FAILED:
            return Result(State.FAILED, result.reason, result.culprit, result.message)
        if result.state in (State.CANCELLED, State.NOT_RUN) and worst.state is State.SUCCEEDED:
            worst = Result(State.CANCELLED, result.reason, result.culprit, result.message)
    return worst


def _status(result: Result) -> dict[str, str]:
    return {
        "state": result.state.name,
        "failed_task": result.culprit,
        "message": result.message,
    }


def _cause(result: Result) -> str:
    return result.reason or "its condition was false"


def _why_not(branch: Node, taken: Node | None, branches: list[Node]) -> str:
    if taken is not None and branches.index(taken) < branches.index(branch):
        return "an earlier branch was taken"
    where = branch.item.where
    return f"the condition at line {where.line} was false" if where else "its condition was false"


def _has_default(task: Task, name: str) -> bool:
    signature = getattr(task.step, "signature", None)
    if signature is None or name not in signature.parameters:
        return False
    parameter = signature.parameters[name]
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return variadic or parameter.default is not parameter.empty
