"""Code objects: the names that they mention, the modules that they import, and a digest of them.

All that is known here about bytecode holds for the minor versions in `_KNOWN`. On another one every
name of a code object counts as a global and as an import, and its bytecode counts as it is. So more
travels than has to, and another layout of the source gives another digest, but nothing is missed.
"""

from __future__ import annotations

import dis
import functools
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any, TypeGuard

from kalelite.blake import hashed
from kalelite.errors import cell_name
from kalelite.frozen import frozen

_KNOWN = (3, 11) <= sys.version_info[:2] <= (3, 13)
# A class body inside a function reads globals with LOAD_NAME, so that one counts as well.
_GLOBAL_OPS = frozenset(
    {
        "LOAD_GLOBAL",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "LOAD_NAME",
        "LOAD_FROM_DICT_OR_GLOBALS",
    }
)
_ATTRIBUTE_OPS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_PADDING = frozenset({"EXTENDED_ARG", "CACHE", "NOP"})
_JUMPS = frozenset(dis.opname[code] for code in (*dis.hasjrel, *dis.hasjabs))
# Pairs that Python 3.13 fuses only if they stand on one line.
_FUSED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_HAS_DOCSTRING = 0x4000000
_IMPORTS_BY_NAME = frozenset({"import_module", "__import__"})


def is_class(value: Any) -> TypeGuard[type]:
    """Whether this is a class, whatever its ``__class__`` says."""
    return issubclass(type(value), type)


def codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all that are nested in it."""
    stack = [code]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(const for const in reversed(current.co_consts) if isinstance(const, CodeType))


# --- names -----------------------------------------------------------------------------------


@frozen
class Import:
    """An import statement: ``from ..name import fromlist`` has level 2."""

    name: str
    level: int
    fromlist: tuple[str, ...]


@frozen
class References:
    """What a code object refers to, nested code included.

    ``globals`` are looked up, in order of use; ``mentioned`` are all names, also of attributes
    and inside of strings; ``texts`` those inside of strings only; ``values`` are those whose value is
    used otherwise than for an attribute of it.
    """

    globals: tuple[str, ...]
    imports: tuple[Import, ...]
    mentioned: frozenset[str]
    texts: frozenset[str]
    values: frozenset[str]


@functools.lru_cache(maxsize=4096)
def references(code: CodeType) -> References:
    """What the code refers to."""
    names: dict[str, None] = {}
    imports: list[Import] = []
    mentioned: set[str] = set()
    words: set[str] = set()
    values: set[str] = set()
    for current in codes(code):
        constants = current.co_consts[1:] if _docstring(current) else current.co_consts
        words.update(*map(identifiers, _strings(constants)))
        if _KNOWN:
            instructions = [one for one in dis.get_instructions(current) if one.opname != "CACHE"]
            # A class body stores its docstring, which is no use of it.
            used = (one for one in instructions if one.opname != "STORE_NAME")
            mentioned.update(one.argval for one in used if one.argval in current.co_names)
            names.update((one.argval, None) for one in instructions if one.opname in _GLOBAL_OPS)
            imports.extend(_imports(instructions))
            values.update(_values(instructions))
        else:
            mentioned.update(current.co_names)
            names.update(dict.fromkeys(current.co_names))
            imports.extend(_any_imports(current))
            values.update(current.co_names)
        if _IMPORTS_BY_NAME.intersection(current.co_names):
            texts = (text for text in _strings(current.co_consts) if is_module_name(text))
            imports.extend(Import(text, 0, ()) for text in texts)
    every = frozenset(mentioned | words)
    return References(tuple(names), tuple(imports), every, frozenset(words), frozenset(values))


def _docstring(code: CodeType) -> tuple[str, ...]:
    """The docstring of a function's code, if it has one."""
    first = code.co_consts[0] if code.co_consts else None
    marked = sys.version_info < (3, 14) or code.co_flags & _HAS_DOCSTRING
    is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
    return (first,) if isinstance(first, str) and is_function and marked else ()


def _strings(constants: Iterable[Any]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _strings(constant)


def identifiers(text: str) -> list[str]:
    """What in a text could be a name, or a dotted one."""
    dotted = re.findall(r"[^\W\d][\w.]*", text)
    return [*dotted, *(part for name in dotted for part in name.split("."))]


def _imports(instructions: list[dis.Instruction]) -> Iterator[Import]:
    """Level and names are the two constants before the instruction that imports."""
    recent: list[Any] = [0, None]
    for instruction in instructions:
        if instruction.opname == "IMPORT_NAME":
            level, names = recent[-2:]
            fromlist = names if isinstance(names, tuple) else ()
            yield Import(instruction.argval, level if isinstance(level, int) else 0, fromlist)
        elif instruction.opname == "LOAD_CONST":
            recent.append(instruction.argval)


def _any_imports(code: CodeType) -> Iterator[Import]:
    """Whatever the names and constants could import."""
    numbers = {const for const in code.co_consts if type(const) is int and 0 < const < 10}
    tuples = [const for const in code.co_consts if isinstance(const, tuple)]
    fromlist = tuple(text for const in tuples for text in const if isinstance(text, str))
    for name in code.co_names:
        for level in (0, *sorted(numbers)):
            yield Import(name, level, fromlist)


def _values(instructions: list[dis.Instruction]) -> Iterator[str]:
    for one, following in zip(instructions, [*instructions[1:], None], strict=True):
        named = one.opname in _GLOBAL_OPS or one.opname in _ATTRIBUTE_OPS
        if named and (following is None or following.opname not in _ATTRIBUTE_OPS):
            yield one.argval


def is_module_name(text: str) -> bool:
    """True if the text could name a module to `importlib.import_module`."""
    return len(text) < 200 and all(part.isidentifier() for part in text.split("."))


def resolve_import(item: Import, package: str) -> tuple[str, ...]:
    """The absolute module names that an import may load; ``from a import b`` may load ``a.b``."""
    base = item.name
    if item.level:
        parts = package.split(".") if package else []
        if item.level > len(parts):
            return ()
        above = parts[: len(parts) - item.level + 1]
        base = ".".join([*above, item.name] if item.name else above)
    return (base, *(f"{base}.{name}" for name in item.fromlist if name != "*"))


# --- digests ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def code_digest(code: CodeType, *, docstrings: bool) -> bytes:
    """A digest of what the code does, the same for any layout of its source."""
    shape = (
        code.co_name,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_HAS_DOCSTRING,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
    )
    if not _KNOWN:
        raw = (code.co_code, code.co_consts, code.co_names, code.co_exceptiontable)
        return _constant((shape, raw), docstrings)
    docstring = _docstring(code) if docstrings else ()
    return _constant((shape, docstring, *_operations(code, docstrings)), docstrings)


def _constant(value: Any, docstrings: bool) -> bytes:
    if isinstance(value, CodeType):
        return code_digest(value, docstrings=docstrings)
    if isinstance(value, tuple | frozenset):
        parts = [_constant(item, docstrings) for item in value]
        kind = type(value).__name__.encode()
        return hashed(kind, *(sorted(parts) if isinstance(value, frozenset) else parts))
    return f"{type(value).__name__} {value!r}".encode("utf-8", "surrogatepass")


def _operations(code: CodeType, docstrings: bool) -> Iterator[tuple[str, Any]]:
    """Each instruction with its argument, and the ranges that exception handlers cover.

    Lines and padding are left out; jumps and handlers name the number of an operation instead of
    an offset in bytes.
    """
    # Set by a class body itself.
    noise = {"__firstlineno__", "__static_attributes__"} | (set() if docstrings else {"__doc__"})
    found: list[tuple[str, Any]] = []
    positions: dict[int, int] = {}
    for instruction in dis.get_instructions(code):
        positions[instruction.offset] = len(found)
        name, value = instruction.opname, instruction.argval
        if instruction.opcode in dis.hasconst and instruction.arg is not None:
            value = code.co_consts[instruction.arg]  # dis knows not all of these
        if name in _PADDING:
            continue
        if name == "STORE_NAME" and value in noise:
            found.pop()
        elif name in _FUSED:
            found.extend(zip(_FUSED[name], value, strict=True))
        else:
            found.append((name, value))
    for name, value in found:
        yield name, positions.get(value, len(found)) if name in _JUMPS else value
    entries: Any = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
    for entry in entries:
        places = (positions.get(at, len(found)) for at in (entry.start, entry.end, entry.target))
        yield "handler", (*places, entry.depth, entry.lasti)


def of_cell(code: CodeType) -> CodeType:
    """The code with the number of its cell for its file: what a kernel calls that ends with it."""
    name = cell_name(code.co_filename)
    if name == code.co_filename:
        return code
    inner = (of_cell(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=name, co_consts=tuple(inner))
