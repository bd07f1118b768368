"""The trace: what is known so far of a pipeline whose body is running.

A trace is the value of a context variable while the body runs, so it is never seen by another
thread or by code outside the body, and nothing has to be put back after an exception. Nothing
that the body does wrong stops the trace; each mistake becomes a `Problem` at its own place.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace.callsite import Use, use_of_call
from kalelite.authoring.trace.draft import TaskDraft
from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.plan.graph import Block, Branch, ContainerDef, StepDef, Switch
from kalelite.plan.names import slug
from kalelite.plan.options import StepOptions, check, merge
from kalelite.source import locations as places

if TYPE_CHECKING:
    from kalelite.authoring.callable_step import CallableStep
    from kalelite.plan.types.hints import Returns

_active: ContextVar[Trace | None] = ContextVar("kalelite_trace", default=None)


def current() -> Trace | None:
    """The trace that is going on here, None outside a pipeline's body."""
    return _active.get()


@frozen
class UserPlace:
    """Where something happened: the place to show, and the helper function that it was in.

    ``frame`` is the frame that did it; ``helper`` is the same frame if it belongs to a function
    that the body called, and then ``where`` is that call in the body.
    """

    where: Where
    frame: FrameType
    helper: FrameType | None = None


class Trace:
    """A pipeline in the making: task drafts, blocks and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: list[TaskDraft] = []
        self.blocks: list[Block] = []
        self.problems: dict[tuple[Any, ...], Problem] = {}
        self.parents: list[str] = [""]
        self.pipelines: list[Any] = []
        self.last_switch: dict[str, tuple[Switch, int]] = {}
        self.mended: list[Any] = []  # open blocks that were written wrongly
        self.unused: dict[int, tuple[str, Where]] = {}
        self.ordered: set[str] = set()  # nested pipelines whose steps wait in call order
        self.defaults = StepOptions()
        self.is_copying = False  # a constant: an output inside it cannot be followed
        self._merged: dict[int, tuple[Any, StepOptions]] = {}
        self._slugs: dict[str, str] = {}
        self._steps: dict[str, tuple[StepDef | ContainerDef, str]] = {}
        self._bodies: dict[int, CodeType] = {}
        self._counts: dict[str, int] = {}
        self._ids: set[str] = set()
        self._uses: dict[tuple[int, int], tuple[CodeType, Use]] = {}
        self._branches: dict[tuple[int, int], int] = {}
        self.ended_at: Where | None = None  # the place of what is found wrong after the body

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """Make this the current trace."""
        token = _active.set(self)
        try:
            yield self
        finally:
            _active.reset(token)

    @contextmanager
    def body(self, code: CodeType | None) -> Iterator[None]:
        """Know the frames of this code as those of a pipeline's body."""
        key = id(code)
        known = key in self._bodies
        if code is not None and not known:
            linecache.checkcache(code.co_filename)  # a cell or file that was changed and run again
            self._bodies[key] = code
        try:
            yield
        finally:
            if not known:
                self._bodies.pop(key, None)

    def body_codes(self) -> list[CodeType]:
        """The code of the bodies that are being traced."""
        return list(self._bodies.values())

    @property
    def parent(self) -> str:
        """The block that is open."""
        return self.parents[-1]

    def new_id(self, name: str) -> str:
        """``name``, ``name-2``, ``name-3``, …: an id that no task or block has."""
        count = self._counts.get(name, 0) + 1
        id = name if count == 1 else f"{name}-{count}"
        while id in self._ids:
            count += 1
            id = f"{name}-{count}"
        self._counts[name] = count
        self._ids.add(id)
        return id

    def _slug_of(self, name: str, definition: StepDef | ContainerDef) -> str:
        """The id that the step's tasks begin with; two different steps may not share it."""
        id = self._slugs.get(name)
        if id is None:
            id = self._slugs[name] = slug(name)
        known, other = self._steps.setdefault(id, (definition, name))
        if known is not definition and _code(known) is not _code(definition):
            same = f"`{name}`" if other == name else f"`{other}` and `{name}`"
            message = f"two different steps are called {same}"
            if known.where:
                message += f": the other is at {known.where}"
            hint = f'Give one of them another name: @step(name="{name}_2").'
            problem = Problem(message, hint, definition.where)
            self.problems.setdefault(("twins", id, definition.where), problem)
        return id

    def _options_for(
        self, definition: StepDef | ContainerDef, call: StepOptions | None, where: Where
    ) -> StepOptions:
        """The options that a call of the step has; what contradicts itself in them is a problem."""
        key = id(definition)
        if call is None and key in self._merged:
            return self._merged[key][1]
        options = definition.options
        if call is not None or self.defaults != StepOptions():
            options = merge(self.defaults, options, call or StepOptions())
            self._check_merged(options, (self.defaults, definition.options, call), where)
        kind = definition.options.accelerator or (call.accelerator if call is not None else None)
        if kind and options.gpu is None:
            message = f"accelerator={kind!r} says which kind, and no gpu= how many"
            self.problem("accelerator", message, "Write gpu=1, too.", where=where)
        if call is None:
            self._merged[key] = (definition, options)
        return options

    def _check_merged(
        self, options: StepOptions, parts: tuple[StepOptions | None, ...], where: Where
    ) -> None:
        """Problems that none of the places has by itself: those were found where they stand."""
        problems = check(options, where)
        if problems:
            known = {each.message for part in parts if part for each in check(part)}
            for problem in problems:
                if problem.message not in known:
                    self.problems.setdefault(("options", problem.message, where), problem)

    def set_defaults(self, defaults: StepOptions) -> None:
        """Options that every step has from now on, unless it has others."""
        if defaults != self.defaults:
            self.defaults = defaults
            self._merged.clear()

    def _use_at(self, frame: FrameType) -> Use:
        """What is done with the result of the call that the frame is making."""
        key = (id(frame.f_code), frame.f_lasti)
        known = self._uses.get(key)
        if known is None:
            known = self._uses[key] = (frame.f_code, use_of_call(frame.f_code, frame.f_lasti))
        return known[1]

    def draft(self, step: CallableStep, returns: Returns, frame: FrameType) -> TaskDraft:
        """The task of the call that the frame is making, as yet without arguments."""
        definition, where = step.definition, places.of_frame(frame)
        return TaskDraft(
            id=self.new_id(self._slug_of(step.name, definition)),
            step=definition,
            arguments={},
            returns=returns,
            use=self._use_at(frame),
            options=self._options_for(definition, step.call_options, where),
            parent=self.parent,
            where=where,
        )

    def open(self, block: Block) -> None:
        """Take in a block; what follows stands in it, until `close`."""
        self.blocks.append(block)
        self.parents.append(block.id)

    def close(self, block: Block) -> None:
        """Leave a block and all that is still open inside it."""
        while self.parents[-1] != block.id:
            self.parents.pop()
        self.parents.pop()

    def end_branch(self, branch: Branch, switch: Switch) -> None:
        """Remember the switch that an Elif or Else right here would belong to."""
        if branch.condition is None:
            self.last_switch.pop(switch.parent, None)
        else:
            self.last_switch[switch.parent] = (switch, len(self.blocks))

    def open_switch(self) -> Switch | None:
        """The switch that ended right here and can still take a branch.

        A step may be called in between, for the condition of an Elif; another block may not.
        """
        switch, blocks = self.last_switch.get(self.parent, (None, 0))
        return switch if blocks == len(self.blocks) else None

    def branch_taken(self, frame: FrameType) -> bool:
        """What the truth of an output is while tracing: True first, then in turns.

        So a branch is traced once and a ``while`` ends.
        """
        key = (id(frame.f_code), frame.f_lasti)
        self._branches[key] = self._branches.get(key, 0) + 1
        return self._branches[key] % 2 == 1

    def place(self) -> UserPlace:
        """Where the user's code is now."""
        frame = user_frame()
        body: FrameType | None = frame
        while body is not None and id(body.f_code) not in self._bodies:
            body = body.f_back
        if body is None and self.ended_at is not None:
            return UserPlace(self.ended_at, frame)
        if body is None or body is frame or _is_inline(frame, body):
            return UserPlace(places.of_frame(frame), frame)
        return UserPlace(places.of_frame(body), frame, helper=frame)

    def problem(
        self, kind: str, message: str, hint: str = "", *, where: Where | None = None
    ) -> None:
        """Note a mistake, once for each kind and place."""
        where = where if where is not None else self.place().where
        self.problems.setdefault(_key(kind, where), Problem(message, hint, where))

    def has_problem(self, kind: str, where: Where | None = None) -> bool:
        """Whether that kind of mistake is noted, for the place or at all."""
        if where is not None:
            return _key(kind, where) in self.problems
        return any(key[0] == kind for key in self.problems)

    def adopt(self, problems: tuple[Problem, ...]) -> None:
        """Take over the problems of a step's or a pipeline's definition."""
        for problem in problems:
            self.problems.setdefault((problem,), problem)

    def has_problem_in(self, where: Where) -> bool:
        """Whether something is wrong in that line already."""
        lines = {(p.where.file, p.where.line) for p in self.problems.values() if p.where}
        return (where.file, where.line) in lines


def _key(kind: str, where: Where) -> tuple[Any, ...]:
    return kind, where.file, where.line, where.column, where.end_column


def _code(definition: StepDef | ContainerDef) -> Any:
    """What two definitions of one step share: a factory makes many of one code."""
    if isinstance(definition, ContainerDef):
        return definition
    return getattr(definition.function, "__code__", definition.function)


def user_frame() -> FrameType:
    """The nearest frame that is not of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_own_code(frame.f_globals):
        frame = frame.f_back
    return frame


def is_own_code(namespace: Mapping[str, Any]) -> bool:
    """Whether a frame with these globals is of this package, and not of the user's body."""
    name = namespace.get("__name__", "")
    return isinstance(name, str) and name.startswith(("kalelite.plan.", "kalelite.authoring."))


def _is_inline(frame: FrameType, body: FrameType) -> bool:
    """Whether the frame is a comprehension or lambda written in the body itself."""
    code: Any = frame.f_code
    return code.co_name.startswith("<") and code in body.f_code.co_consts
