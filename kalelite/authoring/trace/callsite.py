"""What the bytecode after a call shows: which names the result goes to, how many it is unpacked to.

A traced call looks at the instruction that called it and at the few that follow. That is exact
on the versions of `EXACT`, costs a microsecond, needs no source, and works in notebook cells. On
another version an instruction of an unknown name tells nothing: a result keeps the name
``output``, and how many values it has is known from the step's return annotation alone.
"""

from __future__ import annotations

import dis
import sys
import weakref
from collections.abc import Iterator
from types import CodeType, FrameType

from kalelite.frozen import frozen

EXACT = frozenset({(3, 11), (3, 12), (3, 13)})
"""The versions of Python whose instructions are known."""

_NAMES = dis.opname
_STORES = frozenset({"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"})


@frozen
class Use:
    """What is done with the result of a call.

    ``names`` are the targets: one for ``x = f()``, several for ``x, y = f()``; None stands for a
    target that is no plain name. ``unpacked`` is True for the second form, ``discarded`` for a
    call that is a statement by itself.
    """

    names: tuple[str | None, ...] = ()
    unpacked: bool = False
    discarded: bool = False


def is_exact() -> bool:
    """Whether the instructions of this version of Python are known."""
    return sys.version_info[:2] in EXACT


_bytes: dict[int, tuple[weakref.ref[CodeType], bytes]] = {}


def _bytes_of(code: CodeType) -> bytes:
    """The bytecode, which Python 3.11 and later put together anew for each access."""
    key = id(code)
    known = _bytes.get(key)
    if known is None:
        known = (weakref.ref(code, lambda _: _bytes.pop(key, None)), code.co_code)
        _bytes[key] = known
    return known[1]


def instruction(frame: FrameType) -> tuple[str, int]:
    """Name and argument of the instruction that the frame is executing."""
    code = _bytes_of(frame.f_code)
    offset = frame.f_lasti
    argument = code[offset + 1]
    shift = 8
    # The high bits of an argument stand in EXTENDED_ARG prefixes before the instruction.
    before = offset - 2
    while before >= 0 and _NAMES[code[before]] == "EXTENDED_ARG":
        argument |= code[before + 1] << shift
        shift += 8
        before -= 2
    return _NAMES[code[offset]], argument


def _following(code: CodeType, offset: int) -> Iterator[tuple[str, int]]:
    """Instructions after the one at the offset."""
    raw = _bytes_of(code)
    extended = 0
    for position in range(offset + 2, len(raw), 2):
        name = _NAMES[raw[position]]
        if name == "CACHE":
            continue
        argument = raw[position + 1] | extended
        if name == "EXTENDED_ARG":
            extended = argument << 8
            continue
        extended = 0
        if name == "STORE_FAST_STORE_FAST":  # 3.13 joins the two
            yield "STORE_FAST", argument >> 4
            yield "STORE_FAST", argument & 15
        elif name == "STORE_FAST_LOAD_FAST":
            yield "STORE_FAST", argument >> 4
            yield "LOAD_FAST", argument & 15
        else:
            yield name, argument


def _stored_name(code: CodeType, opname: str, argument: int) -> str:
    if opname == "STORE_FAST":
        return code.co_varnames[argument]
    if opname in {"STORE_NAME", "STORE_GLOBAL"}:
        return code.co_names[argument]
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return (code.co_varnames + cells + code.co_freevars)[argument]


def _targets(
    code: CodeType, following: Iterator[tuple[str, int]], count: int
) -> tuple[str | None, ...]:
    """Names that the next ``count`` values on the stack are stored under."""
    names: list[str | None] = []
    for _ in range(count):
        opname, argument = next(following, ("", 0))
        if opname in _STORES:
            names.append(_stored_name(code, opname, argument))
        elif opname == "UNPACK_SEQUENCE":
            _targets(code, following, argument)
            names.append(None)
        elif opname == "POP_TOP":
            names.append(None)
        else:  # an attribute, an item: what follows cannot be distinguished from other code
            names.extend([None] * (count - len(names)))
            break
    # Of `x, x = f()` the first is lost at once.
    return tuple(
        name if name not in names[position + 1 :] else None for position, name in enumerate(names)
    )


def names_after(code: CodeType, offset: int, count: int) -> tuple[str | None, ...]:
    """Targets of the ``UNPACK_SEQUENCE`` instruction at the offset."""
    return _targets(code, _following(code, offset), count)


def use_of_call(code: CodeType, offset: int) -> Use:
    """What is done with the result of the call at the offset."""
    following = _following(code, offset)
    opname, argument = next(following, ("", 0))
    while opname == "COPY":  # a = b = f(), (a := f())
        opname, argument = next(following, ("", 0))
    if opname in _STORES:
        return Use((_stored_name(code, opname, argument),))
    if opname == "UNPACK_SEQUENCE":
        return Use(_targets(code, following, argument), unpacked=True)
    return Use(discarded=opname == "POP_TOP")
