# ruff: noqa: SLF001 - a stand-in's own names are private so that they hide none of the user's
# ruff: noqa: ARG002 - every operation has the parameters that Python gives it
"""Stand-ins for values that exist only when the pipeline runs.

A step called in a pipeline's body returns a `Ref`. It may be passed on, unpacked, selected from
and compared for an ``If``; everything else that Python can do with a value is a mistake, which
the trace notes with its place while a harmless stand-in keeps the body going.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from kalelite.plan import misuse
from kalelite.plan.callsite import instruction, names_after
from kalelite.plan.draft import TaskDraft
from kalelite.plan.graph import (
    AllOf,
    AnyOf,
    Compare,
    Constant,
    Expr,
    ItemRef,
    Negation,
    OutputRef,
    ParameterRef,
)
from kalelite.plan.trace import Trace, current
from kalelite.plan.traps import Traps

__all__ = [
    "MARK",
    "Condition",
    "ItemProxy",
    "OutputProxy",
    "ParameterProxy",
    "Poison",
    "Ref",
    "ValueProxy",
]

MARK = "<kalelite: "
"""How the text of every stand-in begins; text that holds it was made from one."""


class Ref(Traps):
    """A value that is known only when the pipeline runs.

    Its own attributes begin with ``_k_`` so that they hide nothing of the user's.
    """

    __slots__ = ("__weakref__", "_k_trace")
    __array_ufunc__ = None  # numpy leaves `array + ref` to us

    _k_trace: Trace

    def __init__(self, trace: Trace) -> None:
        object.__setattr__(self, "_k_trace", trace)

    # What a kind of stand-in answers for itself.

    def _k_expr(self) -> Expr:
        """The expression in the plan; asking for it means that the value is used."""
        raise TypeError(type(self))

    def _k_peek(self) -> Expr:
        """The expression, for a look that does not use the value."""
        return self._k_expr()

    def _k_words(self) -> str:
        """What this is, in a sentence."""
        return "a value of the pipeline"

    def _k_select(self, key: Any) -> Ref:
        """A part of the value."""
        return misuse.subscript(self)

    def _k_attribute(self, name: str) -> Any:
        """What an attribute of the value is."""
        return misuse.attribute(self, name)

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        """The value as so many values."""
        return misuse.unpack(self, count)

    def _k_note(self, kind: str, **details: Any) -> Poison:
        """Note a misuse; what goes on in its place makes no noise."""
        misuse.note(self, kind, **details)
        return Poison(self._k_trace)

    def _k_is_silent(self) -> bool:
        """Whether what is wrong with this value has been said."""
        return False

    def _k_is_bool(self) -> bool:
        """Whether this is a condition by itself."""
        return False

    def _k_compare(self, symbol: str, other: Any) -> Ref:
        """``self symbol other``, for an ``If``."""
        if isinstance(other, Poison):
            return other
        if isinstance(other, Condition):
            return self._k_note("chain")
        if current() is not self._k_trace:
            return self._k_note("stale")
        right = other._k_expr() if isinstance(other, Ref) else Constant(other)
        return Condition(self._k_trace, Compare(symbol, self._k_expr(), right))

    def _k_logic(self, symbol: str, other: Any) -> Ref:
        """``self symbol other`` as a condition, if both sides are conditions."""
        operands = [self] if symbol == "~" else [self, other]
        exprs = []
        for operand in operands:
            if isinstance(operand, Poison):
                return operand
            if isinstance(operand, Condition):
                exprs.append(operand._k_value)
            elif isinstance(operand, Ref) and operand._k_is_bool():
                exprs.append(Compare("==", operand._k_expr(), Constant(True)))
            else:
                return self._k_note("logic", symbol=symbol)
        if symbol == "~":
            return Condition(self._k_trace, Negation(exprs[0]))
        join = AllOf if symbol == "&" else AnyOf
        return Condition(self._k_trace, join(tuple(exprs)))

    # What Python may ask of it.

    def after(self, *others: Any) -> Any:
        """Make the step of this value wait for other steps, too."""
        return self._k_note("after")

    def __repr__(self) -> str:
        return f"{MARK}{self._k_words().replace('`', '')}>"

    def __str__(self) -> str:
        if misuse.is_looked_at():
            return repr(self)
        misuse.note(self, "text")
        return repr(self)

    def __format__(self, spec: str) -> str:
        misuse.note(self, "format")
        return repr(self)

    def __bool__(self) -> bool:
        return misuse.truth(self)

    def __iter__(self) -> Iterator[Any]:
        frame = sys._getframe(1)
        opname, count = instruction(frame)
        if opname == "UNPACK_SEQUENCE":
            return self._k_unpack(count, names_after(frame.f_code, frame.f_lasti, count))
        if opname == "UNPACK_EX":
            misuse.note(self, "star")
            return iter([Poison(self._k_trace) for _ in range((count & 255) + (count >> 8))])
        return misuse.iterate(self, opname)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (str, int)) and not isinstance(key, bool):
            return self._k_select(key)
        return misuse.subscript(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # debuggers, notebooks and copy ask for these
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._k_attribute(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._k_note("assign", code=f".{name} = …")

    def __deepcopy__(self, memo: Any) -> Ref:
        raise misuse.HiddenRefError(self)

    def __copy__(self) -> Ref:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise misuse.HiddenRefError(self)


class Poison(Ref):
    """What a mistake leaves behind: it takes everything and says nothing."""

    __slots__ = ()

    def _k_expr(self) -> Expr:
        return Constant(self)

    def _k_select(self, key: Any) -> Ref:
        return self

    def _k_attribute(self, name: str) -> Any:
        return self

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        return iter([self] * count)

    def _k_note(self, kind: str, **details: Any) -> Poison:
        return self

    def _k_is_silent(self) -> bool:
        return True

    def _k_compare(self, symbol: str, other: Any) -> Ref:
        return self

    def _k_logic(self, symbol: str, other: Any) -> Ref:
        return self

    def after(self, *others: Any) -> Any:
        return self

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __deepcopy__(self, memo: Any) -> Ref:
        return self


class Condition(Ref):
    """A comparison of outputs or parameters; it belongs into an ``If``."""

    __slots__ = ("_k_value",)

    _k_value: Expr

    def __init__(self, trace: Trace, value: Expr) -> None:
        super().__init__(trace)
        object.__setattr__(self, "_k_value", value)

    def _k_expr(self) -> Expr:
        misuse.note(self, "condition")
        return Constant(Poison(self._k_trace))

    def _k_words(self) -> str:
        return "this comparison"

    def _k_compare(self, symbol: str, other: Any) -> Ref:
        return other if isinstance(other, Poison) else self._k_note("chain")


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
        super().__init__(trace)
        object.__setattr__(self, "_k_draft", draft)
        object.__setattr__(self, "_k_index", index)
        object.__setattr__(self, "_k_path", path)

    def _k_expr(self) -> OutputRef:
        if self._k_index is None:
            return self._k_draft.whole(self._k_path)
        return self._k_draft.part(self._k_index, None, self._k_path)

    def _k_peek(self) -> Expr:
        return OutputRef(self._k_draft.id, "output")

    def _k_words(self) -> str:
        draft = self._k_draft
        name = draft.title() if self._k_index is None else None
        path = "".join(f"[{key!r}]" for key in self._k_path)
        if name is None or name == "output":
            if self._k_index is None:
                return f"the output of step `{draft.step.name}`"
            return f"value {self._k_index + 1}{path} of step `{draft.step.name}`"
        return f"`{name}{path}`, the output of step `{draft.step.name}`"

    def _k_is_bool(self) -> bool:
        draft, index = self._k_draft, self._k_index
        if self._k_path:
            return False
        items = draft.item_hints()
        if index is None:
            return draft.hint is bool
        return items is not None and items[index] is bool

    def _k_select(self, key: Any) -> Ref:
        items = self._k_draft.item_hints() if self._k_index is None and not self._k_path else None
        if items is not None and isinstance(key, int):
            if -len(items) <= key < len(items):
                return OutputProxy(self._k_trace, self._k_draft, key % len(items))
            return self._k_note("range", index=key, count=len(items), last=len(items) - 1)
        return OutputProxy(self._k_trace, self._k_draft, self._k_index, (*self._k_path, key))

    def _k_attribute(self, name: str) -> Any:
        fields = self._k_draft.field_names() if self._k_index is None and not self._k_path else None
        if fields is not None and name in fields:
            return OutputProxy(self._k_trace, self._k_draft, fields.index(name))
        return misuse.attribute(self, name, fields or ())

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        draft = self._k_draft
        if self._k_index is not None or self._k_path:
            return misuse.unpack(self, count)
        if not misuse.fits(self, count):
            return iter([Poison(self._k_trace)] * count)
        draft.unpack(names)
        return iter([OutputProxy(self._k_trace, draft, index) for index in range(count)])

    def after(self, *others: Any) -> Any:
        """Make the step of this value wait for other steps, too; returns this value."""
        from kalelite.plan.waits import wait_for

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
        super().__init__(trace)
        object.__setattr__(self, "_k_name", name)
        object.__setattr__(self, "_k_hint", hint)
        object.__setattr__(self, "_k_path", path)

    def _k_expr(self) -> Expr:
        return ParameterRef(self._k_name, self._k_path)

    def _k_words(self) -> str:
        path = "".join(f"[{key!r}]" for key in self._k_path)
        return f"`{self._k_name}{path}`, a parameter of the pipeline"

    def _k_select(self, key: Any) -> Ref:
        return ParameterProxy(self._k_trace, self._k_name, None, (*self._k_path, key))

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
        super().__init__(trace)
        object.__setattr__(self, "_k_loop", loop)
        object.__setattr__(self, "_k_path", path)
        object.__setattr__(self, "_k_width", width)

    def _k_expr(self) -> Expr:
        return ItemRef(self._k_loop, self._k_path)

    def _k_words(self) -> str:
        path = "".join(f"[{key!r}]" for key in self._k_path)
        return f"the item{path} of a ParallelFor"

    def _k_select(self, key: Any) -> Ref:
        return ItemProxy(self._k_trace, self._k_loop, (*self._k_path, key))

    def _k_attribute(self, name: str) -> Any:
        return self._k_select(name)

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        if self._k_width == count:
            return iter([self._k_select(index) for index in range(count)])
        return misuse.unpack(self, count)


class ValueProxy(Ref):
    """Any other expression: what `Collected` and `OneOf` return, a nested pipeline's argument.

    ``tasks`` are what ``after=`` waits for if the expression itself names no task.
    """

    __slots__ = ("_k_tasks", "_k_text", "_k_value")

    _k_value: Expr
    _k_text: str
    _k_tasks: tuple[str, ...]

    def __init__(self, trace: Trace, value: Expr, text: str, tasks: tuple[str, ...] = ()) -> None:
        super().__init__(trace)
        object.__setattr__(self, "_k_value", value)
        object.__setattr__(self, "_k_text", text)
        object.__setattr__(self, "_k_tasks", tasks)

    def _k_expr(self) -> Expr:
        return self._k_value

    def _k_words(self) -> str:
        return self._k_text
