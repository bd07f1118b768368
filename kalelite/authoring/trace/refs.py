"""Stand-ins for values that exist only when the pipeline runs.

A step called in a pipeline's body returns a `Ref`. It may be passed on, unpacked, selected from
and compared for an ``If``; everything else that Python can do with a value is a mistake, which
the trace notes with its place while a harmless stand-in keeps the body going.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from kalelite.authoring.trace import misuse
from kalelite.authoring.trace.callsite import instruction, is_exact, names_after
from kalelite.authoring.trace.operators import Traps
from kalelite.authoring.trace.tracing import Trace, current
from kalelite.plan.graph import AllOf, AnyOf, Compare, Constant, Expr, Negation
from kalelite.plan.types.hints import UNKNOWN

_DEBUGGERS = ("bdb", "pdb", "ipdb", "pudb", "_pydev", "pydev", "debugpy", "IPython", "reprlib")
MARK = "<kalelite: "
"""How the text of every stand-in begins; text that holds it was made from one."""


class Ref(Traps):
    """A value that is known only when the pipeline runs.

    Its own attributes begin with ``_k_`` so that they hide nothing of the user's.
    """

    __slots__ = ("__weakref__", "_k_trace")
    __array_ufunc__ = None  # numpy leaves `array + ref` to us

    _k_trace: Trace

    def __init__(self, trace: Trace, **own: Any) -> None:
        object.__setattr__(self, "_k_trace", trace)
        for name, value in own.items():
            object.__setattr__(self, name, value)

    # What a kind of stand-in answers for itself.

    def _k_expr(self) -> Expr:
        """The expression in the plan; asking for it means that the value is used."""
        raise TypeError(type(self))

    def _k_waits(self) -> tuple[str, ...]:
        """The tasks and switches that ``after=`` this value waits for; the value is not used."""
        return tuple(dict.fromkeys(self._k_expr().sources()))

    def _k_phrase(self) -> str:
        """What this is, in a sentence."""
        return "a value of the pipeline"

    def _k_select(self, key: Any) -> Ref:
        """A part of the value."""
        return self._k_note("slice")

    def _k_attribute(self, name: str) -> Any:
        """What an attribute of the value is."""
        return self._k_note("attribute", name=name)

    def _k_unpack(self, count: int, names: tuple[str | None, ...]) -> Iterator[Ref]:
        """The value as so many values."""
        if self._k_length() == count:
            return iter([self._k_select(index) for index in range(count)])
        return iter([self._k_note("unpack-one")] * count)

    def _k_length(self) -> int | None:
        """How many values it surely has, None if that is not known."""
        return None

    def _k_note(self, kind: str, **details: Any) -> Poison:
        """Note a misuse; what goes on in its place makes no noise."""
        misuse.note(self, kind, **details)
        return Poison(self._k_trace)

    def _k_type(self) -> Any:
        """The annotation that the value has, `UNKNOWN` if there is none."""
        return UNKNOWN

    def _k_is_silent(self) -> bool:
        """Whether what is wrong with this value is noted already."""
        return False

    def _k_is_bool(self) -> bool:
        """Whether this is a condition by itself."""
        return self._k_type() is bool

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
                return self._k_note("negation" if symbol == "~" else "logic", symbol=symbol)
        if symbol == "~":
            return Condition(self._k_trace, Negation(exprs[0]))
        join = AllOf if symbol == "&" else AnyOf
        return Condition(self._k_trace, join(tuple(exprs)))

    def _k_class(self) -> type:
        """What `isinstance` asks for when the type itself does not answer."""
        if sys._getframe(1).f_code in self._k_trace.body_codes():
            self._k_note("type")  # asked elsewhere it means nothing
        return type(self)

    __class__ = property(_k_class)

    # What Python may ask of it.

    def after(self, *others: Any) -> Any:
        """Make the step of this value wait for other steps, too."""
        return self._k_note("after")

    def __repr__(self) -> str:
        return f"{MARK}{self._k_phrase().replace('`', '')}>"

    def __str__(self) -> str:
        asking = str(sys._getframe(1).f_globals.get("__name__", ""))
        if not asking.startswith(_DEBUGGERS):
            self._k_note("text")
        return repr(self)

    def __format__(self, spec: str) -> str:
        self._k_note("text")
        return repr(self)

    def __bool__(self) -> bool:
        return misuse.truth(self)

    def __iter__(self) -> Iterator[Any]:
        frame = sys._getframe(1)
        opname, count = instruction(frame)
        if opname == "UNPACK_SEQUENCE":
            return self._k_unpack(count, names_after(frame.f_code, frame.f_lasti, count))
        if opname == "UNPACK_EX":
            return iter([self._k_note("star")] * ((count & 255) + (count >> 8)))
        if opname in {"GET_ITER", "FOR_ITER", "GET_YIELD_FROM_ITER"}:
            return iter([self._k_note("iterate")])
        if is_exact():
            return iter([self._k_note("spread")])
        length = self._k_length()
        if length is None:
            return iter([self._k_note("unseen", version=".".join(map(str, sys.version_info[:2])))])
        return self._k_unpack(length, (None,) * length)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (str, int)) and not isinstance(key, bool):
            return self._k_select(key)
        return self._k_note("slice")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # debuggers, notebooks and copy ask for these
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name == "keys" and "LOAD" not in instruction(sys._getframe(1))[0]:
            self._k_note("spread")  # `{**ref}`, `dict(ref)`
            return list
        return self._k_attribute(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._k_note("assign", code=f".{name} = …")

    def __deepcopy__(self, memo: Any) -> Ref:
        if self._k_trace.is_copying:
            raise misuse.HiddenRefError(repr(self))
        return self

    def __copy__(self) -> Ref:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise misuse.HiddenRefError(repr(self))


class Poison(Ref):
    """What a mistake leaves behind: it takes everything and notes nothing."""

    __slots__ = ()

    def _k_expr(self) -> Expr:
        return Constant(self)

    def __repr__(self) -> str:
        return "<kalelite>"  # and no MARK: what is wrong is noted already

    def _k_note(self, kind: str, **details: Any) -> Poison:
        return self

    def _k_is_silent(self) -> bool:
        return True

    def _k_compare(self, symbol: str, other: Any) -> Ref:
        return self

    def __deepcopy__(self, memo: Any) -> Ref:
        return self


class Condition(Ref):
    """A comparison of outputs or parameters; it belongs into an ``If``."""

    __slots__ = ("_k_value",)

    _k_value: Expr

    def __init__(self, trace: Trace, value: Expr) -> None:
        super().__init__(trace, _k_value=value)

    def _k_expr(self) -> Expr:
        return Constant(self._k_note("condition"))

    def _k_phrase(self) -> str:
        return "this comparison"

    def _k_compare(self, symbol: str, other: Any) -> Ref:
        return other if isinstance(other, Poison) else self._k_note("chain")
