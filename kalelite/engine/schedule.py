"""What runs next: a state machine from a plan and the outcomes of its tasks. No I/O.

It has KFP v2's semantics. A node starts when all that it waits for has succeeded. Where one of
them failed, it is *not run*; where one was skipped, it is *skipped*, unless it tolerates that.
A lone ``If`` that is not taken counts as skipped, so what comes after it is skipped too; an
``If`` with an ``Elif`` or ``Else`` counts as done even where no branch is taken. A failure stops
nothing but what depends on it. A handler runs once its scope has ended, if that ever began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from functools import partial
from typing import Any

from kalelite.authoring.events import LoopStarted, Note, TaskSkipped
from kalelite.engine.evaluate import evaluate
from kalelite.engine.results import MissingError, Results, ResultsView
from kalelite.engine.transitions import (
    Index,
    Instance,
    NodeResult,
    NodeState,
    Outcome,
    Ready,
    Transition,
    instance_name,
)
from kalelite.errors import KaleliteError
from kalelite.executor.spec import OutputEntry
from kalelite.frozen import mutable
from kalelite.plan.graph import Branch, Loop, Plan, Switch, Task
from kalelite.plan.order import ROOT, Scopes


@mutable
class _ScopeRun:
    """A scope that runs: one execution of a block's body, or the pipeline itself."""

    scope: str
    index: Index
    waiting: dict[str, int]
    results: dict[str, NodeResult] = field(default_factory=dict)


@mutable
class _LoopRun:
    outer: _ScopeRun
    loop: str
    positions: list[int]
    started: int = 0
    results: list[NodeResult] = field(default_factory=list)


class Schedule:
    """Decides what may start in a checked plan.

    ``parameters`` has a value for every pipeline parameter; ``read`` gives the Python value of an
    output that is not native. ``parts`` are the positions of the items that are done here, of
    loops that are not done as a whole.
    """

    def __init__(
        self,
        plan: Plan,
        parameters: Mapping[str, Any],
        read: Callable[[OutputEntry], Any] | None = None,
        parts: Mapping[str, range] | None = None,
    ) -> None:
        self._scopes = Scopes(plan)
        self._parts = parts or {}
        self.results = Results(self._scopes, parameters, read)
        self._running: dict[tuple[str, Index], _ScopeRun] = {}
        self._loops: dict[tuple[str, Index], _LoopRun] = {}
        self._queue: deque[Callable[[], None]] = deque()
        self._transitions: list[Transition] = []
        self._interrupted = ""
        """Why nothing more is started."""
        self._end: NodeResult | None = None

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
        return "succeeded" if self._end.state is NodeState.SUCCEEDED else "failed"

    def start(self) -> list[Transition]:
        """Begin; returns what is ready at once."""
        self._open(ROOT, ())
        return self._settle()

    def finish(self, instance: Instance, outcome: Outcome) -> list[Transition]:
        """Take in how an instance ended; returns what that makes ready, and what it rules out."""
        run = self._running[self._scopes.parent(instance.task), instance.index]
        state = NodeState(outcome.state)
        if state is NodeState.SUCCEEDED:
            self.results.outputs[instance.task, instance.index] = outcome.outputs
            result = NodeResult(state)
        else:
            reason = f"{instance.name} {'failed' if state is NodeState.FAILED else 'was stopped'}"
            result = NodeResult(state, reason, instance.name, outcome.message)
        self._close(run, instance.task, result)
        return self._settle()

    def interrupt(self, reason: str) -> list[Transition]:
        """Start nothing more, except the handlers of exit scopes that have begun."""
        self._interrupted = reason
        return self._settle()

    def is_handler(self, instance: Instance) -> bool:
        """Whether an instance is an exit handler's."""
        return instance.task in self._scopes.handlers

    def view(self, id: str = ROOT, index: Index = ()) -> ResultsView:
        """What the expressions of a task or block can read, or the pipeline's own result."""
        loops = () if id == ROOT else self._scopes.loops[id]
        return ResultsView(self.results, loops, index)

    def _settle(self) -> list[Transition]:
        while self._queue:
            self._queue.popleft()()
        transitions, self._transitions = self._transitions, []
        return transitions

    def _open(self, scope: str, index: Index) -> None:
        """Start the body of a scope."""
        waits = self._scopes.waits
        children = self._scopes.children[scope]
        run = _ScopeRun(scope, index, {id: len(waits[id]) for id in children})
        self._running[scope, index] = run
        for id in children:
            if not waits[id]:
                self._queue.append(partial(self._begin, run, id))
        if not children:
            self._shut(run)

    def _begin(self, run: _ScopeRun, id: str) -> None:
        """Everything that the node waits for has ended: start it, or rule it out."""
        obstacle = self._obstacle(run, id)
        if obstacle is not None:
            self._rule_out(run, id, obstacle)
            return
        try:
            match self._scopes.items[id]:
                case Task() as task:
                    defaulted = self._defaulted(task, run)
                    self._transitions.append(Ready(Instance(id, run.index), defaulted))
                case Switch():
                    self._begin_switch(run, id)
                case Loop() as loop:
                    self._begin_loop(run, loop)
                case _:
                    self._open(id, run.index)
        except MissingError as missing:
            state = NodeState.NOT_RUN if missing.failed else NodeState.SKIPPED
            verb = "failed" if missing.failed else "was skipped"
            self._rule_out(run, id, NodeResult(state, f"{missing.task} {verb}", missing.task))
        except KaleliteError as error:
            self._transitions.append(Note(f"{id}: {error.message}"))
            self._skip(id, run.index, NodeState.NOT_RUN, error.message)
            self._close(run, id, NodeResult(NodeState.FAILED, error.message, id, error.message))

    def _obstacle(self, run: _ScopeRun, id: str) -> NodeResult | None:
        """Why a node may not start, None if it may."""
        handled = self._scopes.handlers.get(id)
        if handled is not None:
            scope = run.results[handled]
            return scope if scope.state in (NodeState.SKIPPED, NodeState.NOT_RUN) else None
        if self._interrupted:
            return NodeResult(NodeState.NOT_RUN, self._interrupted)
        item = self._scopes.items[id]
        if isinstance(item, Task) and item.options.ignore_failures:
            return None
        results = [(other, run.results[other]) for other in self._scopes.waits[id]]
        for _, result in results:
            if result.state in _BAD:
                return replace(result, state=NodeState.NOT_RUN)
        for other, result in results:
            if result.state is NodeState.SKIPPED:
                cause = result.reason or "its condition was false"
                name = instance_name(other, run.index)
                return NodeResult(NodeState.SKIPPED, f"{name} was skipped: {cause}")
        return None

    def _defaulted(self, task: Task, run: _ScopeRun) -> tuple[str, ...]:
        """Arguments without a value that a tolerant task leaves to their defaults."""
        handled = self._scopes.handlers.get(task.id)
        if handled is not None:
            result = run.results[handled]
            self.results.statuses[handled, run.index] = {
                "state": result.state.name,
                "failed_task": result.root_cause,
                "message": result.message,
            }
        view = self.view(task.id, run.index)
        tolerant = handled is not None or task.options.ignore_failures
        defaulted = []
        for name, value in task.arguments.items():
            try:
                view.require(value)
            except MissingError:
                if not (tolerant and _has_default(task, name)):
                    raise
                defaulted.append(name)
        return tuple(defaulted)

    def _begin_switch(self, run: _ScopeRun, id: str) -> None:
        """Take the first branch whose condition holds and rule out the others."""
        view = self.view(id, run.index)
        branches = self._scopes.children[id]
        taken = None
        for branch in branches:
            block = self._scopes.items[branch]
            assert isinstance(block, Branch)
            if block.condition is None or evaluate(block.condition, view):
                taken = branch
                break
        earlier = False
        for branch in branches:
            if branch == taken:
                earlier = True
                continue
            reason = "an earlier branch was taken" if earlier else self._why_false(branch)
            self._skip(branch, run.index, NodeState.SKIPPED, reason)
        if taken is not None:
            self.results.choices[id, run.index] = taken
            self._open(taken, run.index)
        elif len(branches) == 1:
            self._close(run, id, NodeResult(NodeState.SKIPPED, self._why_false(branches[0])))
        else:
            self._close(run, id, NodeResult(NodeState.SUCCEEDED))

    def _why_false(self, branch: str) -> str:
        where = self._scopes.items[branch].where
        return f"{f'the condition at line {where.line}' if where else 'its condition'} was false"

    def _begin_loop(self, run: _ScopeRun, loop: Loop) -> None:
        items = evaluate(loop.items, self.view(loop.id, run.index))
        if not isinstance(items, list | tuple):
            kind = type(items).__name__
            raise KaleliteError(f"a ParallelFor goes over a list, and this is a {kind}")
        self.results.items[loop.id, run.index] = items = list(items)
        self._transitions.append(LoopStarted(instance_name(loop.id, run.index), len(items)))
        whole = range(len(items))
        positions = [n for n in self._parts.get(loop.id, whole) if n in whole]
        loop_run = _LoopRun(run, loop.id, positions)
        self._loops[loop.id, run.index] = loop_run
        width = loop.parallelism or len(positions)
        for _ in range(min(width, len(positions))):
            self._next_item(loop_run)
        if not positions:
            self._close(run, loop.id, NodeResult(NodeState.SUCCEEDED))

    def _next_item(self, run: _LoopRun) -> None:
        if run.started < len(run.positions):
            run.started += 1
            self._open(run.loop, (*run.outer.index, run.positions[run.started - 1]))

    def _shut(self, run: _ScopeRun) -> None:
        """The body of a scope has ended: close the node that it belongs to."""
        result = _total(run.results.values())
        id = run.scope
        if id == ROOT:
            self._end = result
            return
        del self._running[id, run.index]
        block = self._scopes.items[id]
        if isinstance(block, Loop):
            loop = self._loops[id, run.index[:-1]]
            loop.results.append(result)
            self._queue.append(partial(self._next_item, loop))
            if len(loop.results) == len(loop.positions):
                self._close(loop.outer, id, _total(loop.results))
            return
        if isinstance(block, Branch):
            id = block.parent
        self._close(self._running[self._scopes.parent(id), run.index], id, result)

    def _close(self, run: _ScopeRun, id: str, result: NodeResult) -> None:
        """A node has ended: count down those that wait for it."""
        run.results[id] = result
        if result.state in _BAD:
            self.results.failed.add((id, run.index))
        for user in self._scopes.users[id]:
            run.waiting[user] -= 1
            if not run.waiting[user]:
                self._queue.append(partial(self._begin, run, user))
        if len(run.results) == len(run.waiting):
            self._shut(run)

    def _rule_out(self, run: _ScopeRun, id: str, result: NodeResult) -> None:
        self._skip(id, run.index, result.state, result.reason)
        self._close(run, id, result)

    def _skip(self, id: str, index: Index, state: NodeState, reason: str) -> None:
        for task in self._scopes.tasks_of(id):
            name = instance_name(task.id, index)
            self._transitions.append(TaskSkipped(name, state.value, reason))


_BAD = (NodeState.FAILED, NodeState.NOT_RUN, NodeState.CANCELLED)


def _total(results: Iterable[NodeResult]) -> NodeResult:
    """How a scope ended, given how the nodes in it did."""
    worst = NodeResult(NodeState.SUCCEEDED)
    for result in results:
        if result.state is NodeState.FAILED:
            return result
        if result.state in _BAD and worst.state is NodeState.SUCCEEDED:
            worst = replace(result, state=NodeState.CANCELLED)
    return worst


def _has_default(task: Task, name: str) -> bool:
    signature = getattr(task.step, "signature", None)
    if signature is None or name not in signature.parameters:
        return False
    parameter = signature.parameters[name]
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return variadic or parameter.default is not parameter.empty
