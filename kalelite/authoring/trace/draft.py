"""A task while its pipeline is still being traced.

Which outputs a task has is known only at the end: a result may be unpacked later, selected
from, passed on whole, or dropped. The draft collects what is used of it and `finish` decides.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any

from kalelite.authoring.trace.callsite import Use
from kalelite.errors import Where
from kalelite.frozen import mutable
from kalelite.plan.graph import ContainerDef, Expr, Output, OutputRef, StatusRef, StepDef, Task
from kalelite.plan.names import unique
from kalelite.plan.options import StepOptions
from kalelite.plan.types.fit import native_name
from kalelite.plan.types.hints import NOTHING_KNOWN, UNKNOWN, Returns, return_names
from kalelite.source.locations import definition_of, returns_in

# Of one of these there is nothing to unpack.
_SINGLE = (int, float, bool, str, bytes, type(None))


@mutable
class TaskDraft:
    """One call of a step; ``returns`` is what its annotation promises."""

    id: str
    step: StepDef | ContainerDef
    arguments: dict[str, Expr]
    returns: Returns = NOTHING_KNOWN
    use: Use = field(default_factory=Use)
    options: StepOptions = field(default_factory=StepOptions)
    parent: str = ""
    where: Where | None = None
    after: list[str] = field(default_factory=list)
    arity: int | None = None
    is_handler: bool = False
    _outputs: dict[int | None, Output] = field(default_factory=dict)
    _wanted: bool = False

    def title(self) -> str:
        """Name of the whole result."""
        name = self.use.names[0] if len(self.use.names) == 1 and not self.use.unpacked else None
        return name if name is not None and _is_telling(name) else "output"

    def whole(self, path: tuple[Any, ...] = ()) -> OutputRef:
        """The returned value as a whole, or a part of it; it is stored from now on."""
        self._wanted = True
        if None not in self._outputs:
            self._add(None, self.title(), self.returns.hint)
        return OutputRef(self.id, self._outputs[None].name, path)

    def part(self, index: int, name: str | None = None, path: tuple[Any, ...] = ()) -> OutputRef:
        """One of the returned values; it is stored from now on."""
        if index not in self._outputs:
            hints, names = self.returns.items, self.returns.fields
            if names is not None:
                name = names[index]
            hint = hints[index] if hints is not None else UNKNOWN
            if name is None or not _is_telling(name):
                name = f"output_{index + 1}"
            self._add(index, name, hint)
        return OutputRef(self.id, self._outputs[index].name, path)

    def promised(self, count: int) -> str | None:
        """A phrase for what the step returns, if it cannot be unpacked into so many values."""
        if self.arity is not None and self.arity != count:
            return f"{self.arity} values, as it was unpacked before"
        hint, items = self.returns.hint, self.returns.items
        if items is not None:
            return None if len(items) == count else return_names(hint)
        if hint is UNKNOWN:
            if isinstance(self.step, ContainerDef):
                return None
            return _contradiction(self.step.function, count)
        if hint in _SINGLE:
            return return_names(hint)
        return None

    def name_of(self, index: int) -> str | None:
        """The name of one of the returned values, if it has been given one."""
        output = self._outputs.get(index)
        return None if output is None or output.name == f"output_{index + 1}" else output.name

    def unpack(self, names: tuple[str | None, ...]) -> None:
        """The result is unpacked into that many values; those with a name are stored."""
        self.arity = len(names)
        for index, name in enumerate(names):
            if _is_telling(name) or self.returns.fields is not None:
                self.part(index, name)

    def handle(self, scope: str) -> None:
        """Make this the handler of an exit scope."""
        self.is_handler = True
        for name, value in self.arguments.items():
            if value == StatusRef(""):
                self.arguments[name] = StatusRef(scope)

    def finish(self) -> Task:
        """The task as it goes into the plan."""
        whole = self._outputs.get(None)
        if not self._outputs and self._keeps_result():
            self._add(None, self.title(), self.returns.hint)
            self._outputs[None] = replace(self._outputs[None], optional=self._is_dropped())
        elif whole is not None and not self._wanted:
            del self._outputs[None]
        items = self.returns.items
        arity = self.arity if self.arity is not None or items is None else len(items)
        outputs = tuple(sorted(self._outputs.values(), key=_position))
        return Task(
            id=self.id,
            step=self.step,
            arguments=self.arguments,
            outputs=outputs,
            arity=arity,
            after=tuple(dict.fromkeys(self.after)) if self.after else (),
            options=self.options,
            parent=self.parent,
            where=self.where,
        )

    def _keeps_result(self) -> bool:
        """Whether a result that no step takes is stored for whoever reads the run later."""
        if isinstance(self.step, ContainerDef) or self.returns.hint is type(None):
            return False
        # Unpacked and yet without outputs: into names that nobody uses, `_, _ = step()`.
        return not self.is_handler and self.arity is None

    def _is_dropped(self) -> bool:
        return self.use.discarded and self.returns.native is None

    def _add(self, index: int | None, name: str, hint: Any) -> None:
        if self._outputs:
            taken = {output.name for output in self._outputs.values()}
            name = unique(name, taken, separator="_")
        known = None if hint is UNKNOWN else hint
        native = self.returns.native if index is None else native_name(known)
        self._outputs[index] = Output(name, index, native, known)


def _position(output: Output) -> int:
    return -1 if output.index is None else output.index


def _is_telling(name: str | None) -> bool:
    return name is not None and name.strip("_") != ""


def _contradiction(function: Callable[..., Any], count: int) -> str | None:
    """A phrase for what the function returns, if that can never be ``count`` values.

    Only what is certain from the source counts: a displayed tuple or list of another length, a
    number or text, nothing at all.
    """
    node = definition_of(function)
    if node is None:
        return None
    statements = list(returns_in(node))
    if not statements:
        raises = any(isinstance(child, ast.Raise) for child in ast.walk(node))
        return None if raises else "nothing"
    file = function.__code__.co_filename
    for statement in statements:
        number = _values(statement.value)
        if number is not None and number != count:
            returned = {0: "nothing", 1: "one value"}.get(number, f"{number} values")
            return f"{returned} ({file}:{statement.lineno})"
    return None


def _values(value: ast.expr | None) -> int | None:
    """How many values an expression surely is, 0 for None; None if that is not certain."""
    match value:
        case None | ast.Constant(value=None):
            return 0
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return None if any(isinstance(item, ast.Starred) for item in items) else len(items)
        case ast.Constant(value=int() | float() | bool()) | ast.JoinedStr():
            return 1
    return None
