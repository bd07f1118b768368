"""A code object as a list of operations, free of what layout and compilation leave in it.

Line numbers, docstrings and padding are gone; jumps and handlers point to the number of an
operation instead of an offset in bytes; pairs that Python 3.13 fuses, only if they stand on one
line, are taken apart.
"""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any

__all__ = ["Operation", "operations"]

Operation = tuple[str, Any]
"""The name of an instruction, and its argument: a constant, a name, a target, or a number."""

_PADDING = frozenset({"EXTENDED_ARG", "CACHE", "NOP"})
_JUMPS = frozenset(dis.opname[code] for code in (*dis.hasjrel, *dis.hasjabs))
_FUSED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
# Set by a class body itself, and none of them changes what the class does.
_BODY_NOISE = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})


def operations(code: CodeType) -> tuple[Operation, ...]:
    """The operations of a code object, and the ranges that its exception handlers cover."""
    found: list[Operation] = []
    positions: dict[int, int] = {}
    for instruction in dis.get_instructions(code):
        positions[instruction.offset] = len(found)
        name, value = instruction.opname, instruction.argval
        if name in _PADDING:
            continue
        if name == "STORE_NAME" and value in _BODY_NOISE:
            found.pop()
        elif name in _FUSED:
            found.extend(zip(_FUSED[name], value, strict=True))
        else:
            found.append((name, value))
    found = [
        (name, positions.get(value, len(found))) if name in _JUMPS else (name, value)
        for name, value in found
    ]
    handlers: Any = getattr(dis.Bytecode(code), "exception_entries", ())
    for entry in handlers:
        places = (positions.get(at, len(found)) for at in (entry.start, entry.end, entry.target))
        found.append(("handler", (*places, entry.depth, entry.lasti)))
    return tuple(found)
