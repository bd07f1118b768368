"""What counts of the local modules that a step reaches: their statements, and definitions by name.

A module is run when it is imported, so all its statements count, but a function or class that does
nothing by being defined counts only if some code that counts mentions its name. If the module
itself may go anywhere, as a value, all of it counts.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from kalelite.blake import hashed
from kalelite.capture.bytecode import Import, identifiers, resolve_import
from kalelite.capture.local_modules import LocalModule
from kalelite.capture.rebuild import plain
from kalelite.frozen import frozen, mutable
from kalelite.source.locations import nodes_of

# Code that uses one of these may look up any name.
_DYNAMIC = frozenset(
    {"vars", "globals", "locals", "dir", "eval", "exec", "getmembers", "modules"}
    | {"__dict__", "__subclasses__"}
)


@mutable
class Mentioned:
    """The names in the code that counts.

    ``values`` are those whose value may go anywhere, ``whole`` are modules of which all counts.
    """

    names: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Grows with each addition."""
        return len(self.names) + len(self.values) + len(self.whole)


@frozen
class _Statement:
    """A statement of a module; with a name, it is a definition that counts by that only."""

    node: ast.stmt
    name: str | None
    names: frozenset[str]
    values: frozenset[str]


def counted(modules: Mapping[str, LocalModule], mentioned: Mentioned) -> dict[str, set[int]]:
    """The numbers of the statements that count. `mentioned` is completed by what they mention."""
    found: dict[str, set[int]] = {name: set() for name in modules}
    size = -1
    while size != mentioned.size:
        size = mentioned.size
        if mentioned.names & _DYNAMIC:
            mentioned.whole.update(modules)
        for name, module in modules.items():
            whole = name in mentioned.whole
            for number, one in enumerate(_statements(module)):
                if whole or one.name is None or one.name in mentioned.names:
                    found[name].add(number)
                    mentioned.names |= one.names
                    mentioned.values |= one.values
            for alias, target in _aliases(module):
                if target in modules and (whole or alias in mentioned.values):
                    mentioned.whole.add(target)
    return found


def source_digest(module: LocalModule, numbers: Iterable[int], *, docstrings: bool) -> bytes:
    """A digest of those statements of the module."""
    statements = _statements(module)
    texts = (_dumped(statements[number].node, docstrings) for number in sorted(numbers))
    return hashed(*(text.encode("utf-8", "surrogatepass") for text in texts))


@functools.lru_cache(maxsize=1024)
def _statements(module: LocalModule) -> tuple[_Statement, ...]:
    live = vars(sys.modules[module.name]) if module.name in sys.modules else {}
    found = []
    for node in module.tree.body:
        if _is_main_guard(node):
            continue
        name = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            # Python itself calls a module's __getattr__.
            special = node.name.startswith("__")
            name = node.name if not special and _is_inert(node, live.get(node.name)) else None
        names, values = _names(node)
        found.append(_Statement(node, name, frozenset(names), frozenset(values)))
    return tuple(found)


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    names: set[str] = set()
    values: set[str] = set()
    owners = {id(item.value) for item in ast.walk(node) if isinstance(item, ast.Attribute)}
    docstrings = {id(getattr(item, "value", None)) for item in ast.walk(node) if _is_string(item)}
    for item in ast.walk(node):
        if isinstance(item, ast.Name | ast.Attribute):
            name = item.id if isinstance(item, ast.Name) else item.attr
            names.add(name)
            if id(item) not in owners and isinstance(item.ctx, ast.Load):
                values.add(name)
        elif isinstance(item, ast.Constant) and isinstance(item.value, str):
            names.update(() if id(item) in docstrings else identifiers(item.value))
        elif isinstance(item, ast.ImportFrom):
            names.update(alias.name for alias in item.names)
    return names, values


@functools.lru_cache(maxsize=1024)
def _aliases(module: LocalModule) -> tuple[tuple[str, str], ...]:
    """Names that the module may bind to other modules."""
    package = module.name if module.package else module.name.rpartition(".")[0]
    found = []
    for node in nodes_of(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                found.append((alias.asname or target, target))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                item = Import(node.module or "", node.level, (alias.name,))
                targets = resolve_import(item, package)[1:]
                found += [(alias.asname or alias.name, target) for target in targets]
    return tuple(found)


def _is_inert(node: ast.AST, live: Any = None) -> bool:
    """True for a definition, or a statement of a class body, that does nothing but bind names."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        own = node.decorator_list[1:] if plain(live) is not live else node.decorator_list
        return not own and _is_inert(node.args)
    if isinstance(node, ast.ClassDef):
        simple = type(live) is type and not hasattr(live.__init_subclass__, "__func__")
        bare = not (node.decorator_list or node.keywords) and (simple or not node.bases)
        return bare and all(map(_is_inert, node.body))
    return not any(isinstance(item, ast.Call | ast.NamedExpr) for item in ast.walk(node))


def _is_main_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
        and not node.orelse
    )


def _dumped(node: Any, docstrings: bool) -> str:
    """The syntax tree as a text, without places, and without docstrings unless they count."""
    if isinstance(node, ast.AST):
        fields = (_dumped(value, docstrings) for _, value in ast.iter_fields(node))
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        items = node if docstrings else [item for item in node if not _is_string(item)]
        return f"[{','.join(_dumped(item, docstrings) for item in items)}]"
    return repr(node)


def _is_string(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
