"""Every operator that Python may apply to a stand-in, and what the trace makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]


def _noted(kind: str, result: Any = None, **details: Any) -> Method:
    """A method that notes a misuse; without a ``result`` it returns what goes on in its place."""

    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        stand_in = self._k_note(kind, **details)
        return stand_in if result is None else result

    return method


def _arithmetic(symbol: str) -> Method:
    return _noted("arithmetic", symbol=symbol)


def _conversion(name: str, result: Any) -> Method:
    return _noted("convert", result, name=name)


def _comparison(symbol: str) -> Method:
    return lambda self, other: self._k_compare(symbol, other)


def _logic(symbol: str) -> Method:
    return lambda self, other=None: self._k_logic(symbol, other)


class Traps:
    """Operators of a stand-in; `Ref` has what they call."""

    __slots__ = ()

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
    __contains__ = _noted("contains")
    __call__ = _noted("call")
    __setitem__ = _noted("assign", code="[…] = …")
    __delitem__ = _noted("assign", code="[…]")
    __delattr__ = _noted("assign", code=".…")
    __enter__ = _noted("with")
    __await__ = _noted("await")
    __aiter__ = _noted("await")

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __exit__(self, *error: object) -> None:
        """`__enter__` has noted the mistake."""

    def __array__(self: Any, *arguments: Any, **keywords: Any) -> Any:
        self._k_note("convert", name="array")
        raise TypeError("an output has no value while the pipeline is put together")
