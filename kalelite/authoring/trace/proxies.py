"""The two kinds of stand-ins: results of steps, and every other expression."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

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


class OutputProxy(Ref):
    """The result of a step, one of its values, or a part of one."""

    __slots__ = ("_k_draft", "_k_index", "_k_path")

    _k_draft: TaskDraft
    _k_index: int | None
    _k_path: tuple[Any, ...]

    def __init__(
        self, trace: Trace, draft: TaskDraft, index: int | None = None, path: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(trace, _k_draft=draft, _k_index=index, _k_path=path)

    def _k_expr(self) -> OutputRef:
        if self._k_index is None:
            return self._k_draft.whole(self._k_path)
        return self._k_draft.part(self._k_index, path=self._k_path)

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
        if self._k_is_whole():
            return returns.hint
        if index is None or self._k_path or returns.items is None:
            return UNKNOWN
        return returns.items[index]

    def _k_is_whole(self) -> bool:
        """Whether this is the result itself, and no part of it."""
        return self._k_index is None and not self._k_path

    def _k_length(self) -> int | None:
        items = self._k_draft.returns.items if self._k_is_whole() else None
        return None if items is None else len(items)

    def _k_select(self, key: Any) -> Ref:
        length = self._k_length()
        if length is not None and isinstance(key, int):
            if -length <= key < length:
                return OutputProxy(self._k_trace, self._k_draft, key % length)
            return self._k_note("range", index=key, count=length, last=length - 1)
        return OutputProxy(self._k_trace, self._k_draft, self._k_index, (*self._k_path, key))

    def _k_attribute(self, name: str) -> Any:
        fields = self._k_draft.returns.fields if self._k_is_whole() else None
        if not fields:
            return super()._k_attribute(name)
        if name in fields:
            return OutputProxy(self._k_trace, self._k_draft, fields.index(name))
        return self._k_note("field", name=name, fields=", ".join(fields))

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        draft = self._k_draft
        if not self._k_is_whole():
            return super()._k_unpack(count, names)
        promise = draft.promised(count)
        if promise is not None:
            targets = "1 name" if count == 1 else f"{count} names"
            self._k_trace.problem(
                "unpack",
                f"step `{draft.step.name}` returns {promise}; here it is unpacked into {targets}",
                "Write as many names as the step returns values, or keep the result whole: "
                f"`result = {draft.step.name}(...)`.",
            )
            return iter([Poison(self._k_trace)] * count)
        draft.unpack(names)
        return iter([OutputProxy(self._k_trace, draft, index) for index in range(count)])

    def after(self, *others: Any) -> Any:
        """Make the step of this value wait for other steps, too; returns this value."""
        self._k_draft.after.extend(wait_for(self._k_trace, others, self._k_draft))
        return self


class ValueProxy(Ref):
    """Any other expression: a parameter, an item of a loop, what `Collected` and `OneOf` return.

    ``hint`` is its annotation, ``width`` how many values an item surely has; ``tasks`` are what
    ``after=`` waits for if the expression itself names no task.
    """

    __slots__ = ("_k_hint", "_k_tasks", "_k_text", "_k_value", "_k_width")

    _k_value: Expr
    _k_text: str
    _k_hint: Any
    _k_width: int | None
    _k_tasks: tuple[str, ...]

    def __init__(
        self,
        trace: Trace,
        value: Expr,
        text: str = "",
        *,
        hint: Any = UNKNOWN,
        width: int | None = None,
        tasks: tuple[str, ...] = (),
    ) -> None:
        own = {"_k_value": value, "_k_text": text, "_k_hint": hint, "_k_width": width}
        super().__init__(trace, **own, _k_tasks=tasks)

    def _k_expr(self) -> Expr:
        return self._k_value

    def _k_waits(self) -> tuple[str, ...]:
        return self._k_tasks or super()._k_waits()

    def _k_select(self, key: Any) -> Ref:
        value = self._k_value
        text = f"{self._k_text}[{key!r}]"
        match value:
            case ParameterRef() | ItemRef():
                return ValueProxy(self._k_trace, replace(value, path=(*value.path, key)))
            case Pack(items=items):
                keys = list(value.keys) if value.type is dict else range(len(items))
                if key in keys:
                    return ValueProxy(self._k_trace, items[keys.index(key)], text)
            case Constant(value=constant):
                with contextlib.suppress(LookupError, TypeError):
                    return ValueProxy(self._k_trace, Constant(constant[key]), text)
            case _:
                return self._k_note("select")
        return self._k_note("missing", key=key)

    def _k_attribute(self, name: str) -> Any:
        is_item = isinstance(self._k_value, ItemRef)
        return self._k_select(name) if is_item else super()._k_attribute(name)

    def _k_length(self) -> int | None:
        return self._k_width

    def _k_type(self) -> Any:
        return self._k_hint

    def _k_is_bool(self) -> bool:
        value = self._k_value
        return self._k_hint is bool or (
            isinstance(value, Constant) and isinstance(value.value, bool)
        )

    def _k_phrase(self) -> str:
        match self._k_value:
            case ParameterRef(name=name, path=path):
                return f"`{name}{subscripts(path)}`, a parameter of the pipeline"
            case ItemRef(path=path):
                return f"the item{subscripts(path)} of a ParallelFor"
        return self._k_text
