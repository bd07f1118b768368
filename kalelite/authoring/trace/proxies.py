"""The kinds of stand-ins: results of steps, parameters, items of loops, other expressions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from kalelite.authoring.trace import misuse
from kalelite.authoring.trace.arguments import wait_for
from kalelite.authoring.trace.draft import TaskDraft
from kalelite.authoring.trace.refs import Poison, Ref
from kalelite.authoring.trace.tracing import Trace
from kalelite.plan.graph import (
    Constant,
    Expr,
    ItemRef,
    OutputRef,
    Pack,
    ParameterRef,
    subscripts,
)
from kalelite.plan.types.hints import UNKNOWN

__all__ = ["ItemProxy", "OutputProxy", "ParameterProxy", "ValueProxy"]


class OutputProxy(Ref):
    """The result of a step, one of its values, or a part of one."""

    __slots__ = ("_k_draft", "_k_index", "_k_path")

    _k_draft: TaskDraft
    _k_index: int | None
    _k_path: tuple[Any, ...]

    def __init__(
        self,
        trace: Trace,
        draft: TaskDraft,
        index: int | None = None,
        path: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(trace, _k_draft=draft, _k_index=index, _k_path=path)

    def _k_expr(self) -> OutputRef:
        if self._k_index is None:
            return self._k_draft.whole(self._k_path)
        return self._k_draft.part(self._k_index, None, self._k_path)

    def _k_waits(self) -> tuple[str, ...]:
        return (self._k_draft.id,)

    def _k_phrase(self) -> str:
        draft, index = self._k_draft, self._k_index
        name = draft.title() if index is None else draft.name_of(index)
        path = subscripts(self._k_path)
        what = "the output" if index is None else f"value {index + 1}"
        if name is None or name == "output":
            return f"{what}{path} of step `{draft.step.name}`"
        return f"`{name}{path}`, {what} of step `{draft.step.name}`"

    def _k_type(self) -> Any:
        returns, index = self._k_draft.returns, self._k_index
        if self._k_path:
            return UNKNOWN
        if index is None:
            return returns.hint
        return UNKNOWN if returns.items is None else returns.items[index]

    def _k_is_bool(self) -> bool:
        return self._k_type() is bool

    def _k_length(self) -> int | None:
        items = self._k_draft.returns.items if self._k_index is None and not self._k_path else None
        return None if items is None else len(items)

    def _k_select(self, key: Any) -> Ref:
        length = self._k_length()
        if length is not None and isinstance(key, int):
            if -length <= key < length:
                return OutputProxy(self._k_trace, self._k_draft, key % length)
            return self._k_note("range", index=key, count=length, last=length - 1)
        return OutputProxy(self._k_trace, self._k_draft, self._k_index, (*self._k_path, key))

    def _k_attribute(self, name: str) -> Any:
        fields = (
            self._k_draft.returns.fields if self._k_index is None and not self._k_path else None
        )
        if fields is not None and name in fields:
            return OutputProxy(self._k_trace, self._k_draft, fields.index(name))
        return misuse.attribute(self, name, fields or ())

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        draft = self._k_draft
        if self._k_index is not None or self._k_path:
            return super()._k_unpack(count, names)
        if not misuse.fits(self, count):
            return iter([Poison(self._k_trace)] * count)
        draft.unpack(names)
        return iter([OutputProxy(self._k_trace, draft, index) for index in range(count)])

    def after(self, *others: Any) -> Any:
        """Make the step of this value wait for other steps, too; returns this value."""
        self._k_draft.after.extend(wait_for(self._k_trace, others, self._k_draft))
        return self


class ParameterProxy(Ref):
    """A pipeline parameter, or a part of one."""

    __slots__ = ("_k_hint", "_k_name", "_k_path")

    _k_name: str
    _k_hint: Any
    _k_path: tuple[Any, ...]

    def __init__(
        self, trace: Trace, name: str, hint: Any = None, path: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(trace, _k_name=name, _k_hint=hint, _k_path=path)

    def _k_expr(self) -> Expr:
        return ParameterRef(self._k_name, self._k_path)

    def _k_phrase(self) -> str:
        path = subscripts(self._k_path)
        return f"`{self._k_name}{path}`, a parameter of the pipeline"

    def _k_select(self, key: Any) -> Ref:
        return ParameterProxy(self._k_trace, self._k_name, None, (*self._k_path, key))

    def _k_type(self) -> Any:
        return UNKNOWN if self._k_hint is None else self._k_hint

    def _k_is_bool(self) -> bool:
        return self._k_hint is bool


class ItemProxy(Ref):
    """The current item of a ``ParallelFor``, or a part of it."""

    __slots__ = ("_k_loop", "_k_path", "_k_width")

    _k_loop: str
    _k_path: tuple[Any, ...]
    _k_width: int | None

    def __init__(
        self, trace: Trace, loop: str, path: tuple[Any, ...] = (), width: int | None = None
    ) -> None:
        super().__init__(trace, _k_loop=loop, _k_path=path, _k_width=width)

    def _k_expr(self) -> Expr:
        return ItemRef(self._k_loop, self._k_path)

    def _k_phrase(self) -> str:
        path = subscripts(self._k_path)
        return f"the item{path} of a ParallelFor"

    def _k_select(self, key: Any) -> Ref:
        return ItemProxy(self._k_trace, self._k_loop, (*self._k_path, key))

    def _k_attribute(self, name: str) -> Any:
        return self._k_select(name)

    def _k_length(self) -> int | None:
        return self._k_width


class ValueProxy(Ref):
    """Any other expression: what `Collected` and `OneOf` return, a nested pipeline's argument.

    ``tasks`` are what ``after=`` waits for if the expression itself names no task.
    """

    __slots__ = ("_k_tasks", "_k_text", "_k_value")

    _k_value: Expr
    _k_text: str
    _k_tasks: tuple[str, ...]

    def __init__(self, trace: Trace, value: Expr, text: str, tasks: tuple[str, ...] = ()) -> None:
        super().__init__(trace, _k_value=value, _k_text=text, _k_tasks=tasks)

    def _k_expr(self) -> Expr:
        return self._k_value

    def _k_waits(self) -> tuple[str, ...]:
        return self._k_tasks or super()._k_waits()

    def _k_select(self, key: Any) -> Ref:
        value = self._k_value
        text = f"{self._k_text}[{key!r}]"
        if isinstance(value, Pack):
            keys = list(value.keys) if value.type is dict else range(len(value.items))
            if key in keys:
                return ValueProxy(self._k_trace, value.items[keys.index(key)], text)
        elif isinstance(value, Constant):
            with contextlib.suppress(LookupError, TypeError):
                return ValueProxy(self._k_trace, Constant(value.value[key]), text)
        else:
            return self._k_note("select")
        return self._k_note("missing", key=key)

    def _k_is_bool(self) -> bool:
        return isinstance(self._k_value, Constant) and isinstance(self._k_value.value, bool)

    def _k_phrase(self) -> str:
        return self._k_text
