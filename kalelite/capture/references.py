"""What a code object refers to: global names, and modules imported inside the body."""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, TypeGuard

__all__ = [
    "Import",
    "codes",
    "global_names",
    "imports",
    "is_class",
    "is_module_name",
    "resolve_import",
]

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

_BY_NAME = frozenset({"import_module", "__import__"})


def is_class(value: Any) -> TypeGuard[type]:
    """Whether this is a class, whatever its ``__class__`` says."""
    return issubclass(type(value), type)


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement inside a function: ``from ..name import fromlist`` has level 2."""

    name: str
    level: int
    fromlist: tuple[str, ...]


def codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all that are nested in it."""
    stack = [code]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(const for const in reversed(current.co_consts) if isinstance(const, CodeType))


@functools.lru_cache(maxsize=4096)
def global_names(code: CodeType) -> tuple[str, ...]:
    """Names that the code (nested code included) looks up as globals, in order of use."""
    names: dict[str, None] = {}
    for current in codes(code):
        for instruction in dis.get_instructions(current):
            if instruction.opname in _GLOBAL_OPS:
                names[instruction.argval] = None
    return tuple(names)


@functools.lru_cache(maxsize=4096)
def imports(code: CodeType) -> tuple[Import, ...]:
    """The import statements in the code, nested code included."""
    found: list[Import] = []
    for current in codes(code):
        recent: list[object] = []
        for instruction in dis.get_instructions(current):
            if instruction.opname == "IMPORT_NAME":
                level, fromlist = [*recent, 0, None][:2] if len(recent) < 2 else recent[-2:]
                names = fromlist if isinstance(fromlist, tuple) else ()
                depth = level if isinstance(level, int) else 0
                found.append(Import(instruction.argval, depth, names))
            elif instruction.opname in {"LOAD_CONST", "LOAD_SMALL_INT"}:
                recent.append(instruction.argval)
        if _BY_NAME.intersection(current.co_names):
            texts = (const for const in current.co_consts if isinstance(const, str))
            found.extend(Import(text, 0, ()) for text in texts if is_module_name(text))
    return tuple(found)


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
        kept = parts[: len(parts) - item.level + 1]
        base = ".".join([*kept, item.name] if item.name else kept)
    return (base, *(f"{base}.{name}" for name in item.fromlist if name != "*"))
