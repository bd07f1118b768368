"""The statements at the top of a script: which there are, what they import and what they make."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kalelite.capture.bytecode import Import, resolve_import


def imported(node: ast.AST, package: str) -> Iterator[tuple[str, str, str | None]]:
    """The names that an import statement binds, with the module and what of it they are."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            yield (alias.asname, alias.name, None) if alias.asname else (root, root, None)
    elif isinstance(node, ast.ImportFrom):
        base = resolve_import(Import(node.module or "", node.level, ()), package)
        for alias in node.names if base else ():
            yield alias.asname or alias.name, base[0], alias.name


def imported_modules(node: ast.AST, found: Sequence[tuple[str, str, str | None]]) -> Iterator[str]:
    """The modules that an import statement imports by name."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    for _, base, name in found if isinstance(node, ast.ImportFrom) else ():
        yield f"{base}.{name}" if f"{base}.{name}" in sys.modules else base


def statements(body: Sequence[ast.stmt], *, sure: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The statements of a body and of its blocks; of functions without decorators, unsure ones."""
    for node in body:
        yield node, sure
        if isinstance(node, ast.ClassDef):
            continue
        inside = sure
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.decorator_list:
                continue
            inside = False
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, name, ()), sure=inside)
        for handler in getattr(node, "handlers", ()):
            yield from statements(handler.body, sure=inside)


def made_by(node: Any, values: Mapping[str, Any]) -> Any:
    """The class or function that a definition has made, if no decorator has put another in its place."""
    value = values.get(node.name)
    if isinstance(node, ast.ClassDef):
        return value if isinstance(value, type) else None
    line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    if getattr(getattr(value, "__code__", None), "co_firstlineno", None) == line:
        return value
    import gc

    # Its name may be that of another one by now: `_` of each implementation of one function.
    for item in gc.get_objects():
        code = getattr(item, "__code__", None) if type(item).__name__ == "function" else None
        if code is not None and item.__globals__ is values and code.co_firstlineno == line:
            return item
    return None
