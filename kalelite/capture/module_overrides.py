"""Globals of local modules that were set from outside: ``config.DEBUG = True`` in the script.

A local module is imported from its source where a step runs. What the source says a name is, and
the script has changed since, has to be set again there.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, deque
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from kalelite.capture.local_modules import LocalModule, LocalModules
from kalelite.source.locations import nodes_of

_MISSING = object()
_MAGIC = frozenset({"globals", "vars", "locals", "exec", "setattr"})


def changed(module: LocalModule) -> dict[str, Any]:
    """The globals that are not as the module's source leaves them, as far as that shows.

    Found are names that the source binds once, to a literal, and names that it uses and never
    binds. What the module's own functions set with ``global`` is its own affair, unless it is a
    plain value.
    """
    live = sys.modules.get(module.name)
    if live is None or module.text is None:
        return {}
    tree = module.tree
    bound = Counter(_bound(tree))
    literals = dict(_literals(tree))
    used = {node.id for node in nodes_of(tree) if isinstance(node, ast.Name)}
    own = {name for node in nodes_of(tree) if isinstance(node, ast.Global) for name in node.names}
    # What a star import or the module's own magic binds is not in sight.
    in_sight = "*" not in bound and not used.intersection(_MAGIC)
    found = {}
    for name, value in vars(live).items():
        if name.startswith("__") or isinstance(value, ModuleType):
            continue
        if name in own and not _is_plain(value):
            continue
        before = literals.get(name, _MISSING)
        once = bound[name] == 1 and before is not _MISSING and not _same(before, value)
        if once or (in_sight and bound[name] == 0 and name in used):
            found[name] = value
    return found


def added(module: LocalModule) -> dict[str, Any]:
    """The globals that the module has and its source never binds."""
    live = sys.modules.get(module.name)
    bound = {*_bound(module.tree)}
    if live is None or "*" in bound:
        return {}
    return {
        name: value
        for name, value in vars(live).items()
        if name not in bound and not name.startswith("__") and not isinstance(value, ModuleType)
    }


def contents(module: LocalModule) -> Iterator[tuple[tuple[tuple[str, str], ...], Any]]:
    """What the mutable objects hold that the module and its classes keep, by attribute path."""
    live = sys.modules.get(module.name)
    if live is None:
        return
    own = {node.id for node in nodes_of(module.tree) if isinstance(node, ast.Name)}
    for name, value in list(vars(live).items()):
        if name.startswith("__") or name not in own.union(_defined(module.tree)):
            continue
        if isinstance(value, type):
            if value.__module__ == module.name:
                for attribute, item in list(vars(value).items()):
                    if not attribute.startswith("_") and (held := content(item)):
                        yield ((".", name), (".", attribute)), held[0]
        elif (held := content(value)) is not None:
            yield ((".", name),), held[0]


def content(value: Any) -> tuple[Any] | None:
    """A copy of what a mutable object holds, in a tuple; None for any other object."""
    if isinstance(value, list | deque):
        return (list(value),)
    if isinstance(value, set):
        return (set(value),)
    if isinstance(value, dict):
        return (dict(value),)
    if isinstance(value, type | FunctionType | ModuleType) or not isinstance(
        getattr(value, "__dict__", None), dict
    ):
        return None
    home = type(value).__module__
    return (dict(vars(value)),) if home == "types" or LocalModules().find(home) else None


def _defined(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that the module binds at its top level, also in its ifs and loops."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        stack.extend(ast.iter_child_nodes(node))


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names that a statement of the module binds to a literal."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
                try:
                    yield target.id, ast.literal_eval(node.value or ast.Constant(None))
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    continue


def _is_plain(value: Any) -> bool:
    return value is None or type(value) in {bool, int, float, complex, str, bytes}


def _same(left: Any, right: Any) -> bool:
    """Equal, with equal types at any depth; anything but literals is different."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    return bool(left == right)
