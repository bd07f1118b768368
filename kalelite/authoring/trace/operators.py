"""Every operator that Python may apply to a stand-in, and what the trace makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Traps"]

Method = Callable[..., Any]


def _arithmetic(symbol: str) -> Method:
    def method(self: Traps, *operands: Any) -> Any:
        return self._k_note("arithmetic", symbol=symbol)

    return method


def _comparison(symbol: str) -> Method:
    def method(self: Traps, other: Any) -> Any:
        return self._k_compare(symbol, other)

    return method


def _logic(symbol: str) -> Method:
    def method(self: Traps, other: Any = None) -> Any:
        return self._k_logic(symbol, other)

    return method


def _conversion(name: str, stand_in: Any) -> Method:
    def method(self: Traps) -> Any:
        self._k_note("convert", name=name)
        return stand_in

    return method


def _statement(kind: str, **details: Any) -> Method:
    def method(self: Traps, *arguments: Any, **keywords: Any) -> Any:
        return self._k_note(kind, **details)

    return method


class Traps:
    """Operators of a stand-in; subclasses say what to do by kind of operator."""

    __slots__ = ()

    def _k_note(self, kind: str, **details: Any) -> Any:
        """Note a misuse, and return a stand-in for its result."""
        return self

    def _k_compare(self, symbol: str, other: Any) -> Any:
        return self._k_note("arithmetic", symbol=symbol)

    def _k_logic(self, symbol: str, other: Any) -> Any:
        return self._k_note("logic", symbol=symbol)

    def _k_asked(self) -> type:
        """What `isinstance` asks for when the type itself does not answer."""
        return self._k_class()

    def _k_class(self) -> type:
        return type(self)

    __class__ = property(_k_asked)

    __add__ = __radd__ = __iadd__ = _arithmetic("+")
    __sub__ = __rsub__ = __isub__ = _arithmetic("-")
    __mul__ = __rmul__ = __imul__ = _arithmetic("*")
    __matmul__ = __rmatmul__ = __imatmul__ = _arithmetic("@")
    __truediv__ = __rtruediv__ = __itruediv__ = _arithmetic("/")
    __floordiv__ = __rfloordiv__ = __ifloordiv__ = _arithmetic("//")
    __mod__ = __rmod__ = __imod__ = _arithmetic("%")
    __divmod__ = __rdivmod__ = _arithmetic("divmod")
    __pow__ = __rpow__ = __ipow__ = _arithmetic("**")
    __lshift__ = __rlshift__ = __ilshift__ = _arithmetic("<<")
    __rshift__ = __rrshift__ = __irshift__ = _arithmetic(">>")
    __xor__ = __rxor__ = __ixor__ = _arithmetic("^")
    __and__ = __rand__ = __iand__ = _logic("&")
    __or__ = __ror__ = __ior__ = _logic("|")
    __invert__ = _logic("~")
    __neg__ = _arithmetic("-")
    __pos__ = _arithmetic("+")
    __abs__ = _arithmetic("abs")
    __round__ = _arithmetic("round")
    __eq__ = _comparison("==")
    __ne__ = _comparison("!=")
    __lt__ = _comparison("<")
    __le__ = _comparison("<=")
    __gt__ = _comparison(">")
    __ge__ = _comparison(">=")
    __int__ = _conversion("int", 1)
    __float__ = _conversion("float", 1.0)
    __complex__ = _conversion("complex", 1j)
    __index__ = _conversion("index", 0)
    __trunc__ = _conversion("int", 1)
    __floor__ = _conversion("int", 1)
    __ceil__ = _conversion("int", 1)
    __bytes__ = _conversion("bytes", b"")
    __fspath__ = _conversion("path", "")
    __len__ = _conversion("len", 1)
    __contains__ = _statement("contains")
    __call__ = _statement("call")
    __setitem__ = _statement("assign", code="[…] = …")
    __delitem__ = _statement("assign", code="[…]")
    __delattr__ = _statement("assign", code=".…")
    __enter__ = _statement("with")
    __exit__ = _statement("exit")
    __await__ = _statement("await")
    __aiter__ = _statement("await")

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        self._k_note("convert", name="array")
        raise TypeError("an output has no value while the pipeline is put together")
