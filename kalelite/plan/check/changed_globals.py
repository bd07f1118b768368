"""Globals that a step changes: steps have processes of their own, where the change stays."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from opcode import opmap
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kalelite.plan.graph import Plan, StepDef
from kalelite.source.libraries import is_library
from kalelite.source.locations import definition_of, tree_of

_CHANGES = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "intersection_update",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "subtract",
        "symmetric_difference_update",
        "update",
    ]
)
_STORES = frozenset(
    opmap[name]
    for name in (
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "STORE_ATTR",
        "DELETE_ATTR",
        "STORE_SUBSCR",
        "DELETE_SUBSCR",
    )
)


def changed_globals(plan: Plan) -> Iterator[str]:
    """A line for each step that changes a global which others look at."""
    calls = Counter(id(task.step) for task in plan.tasks)
    looped = {id(task.step) for task in plan.tasks if task.parent}
    steps = {id(task.step): task.step for task in plan.tasks if isinstance(task.step, StepDef)}
    reached = {key: _reached(inspect.unwrap(step.function)) for key, step in steps.items()}
    for key, step in steps.items():
        often = calls[key] > 1 or key in looped
        for name, line in _changed(reached[key]).items():
            others = (each for other, found in reached.items() if other != key for each in found)
            if (
                often
                or any(name in _names(each.__code__) for each in others)
                or _elsewhere(name, reached[key])
            ):
                yield (
                    f"Step `{step.name}` changes the global `{name}` (line {line}). It runs in a process of its "
                    "own, where the change stays: return the value, and pass it on."
                )


def _reached(function: Any) -> list[FunctionType]:
    """The function and those of the user's that it mentions, directly or by others."""
    found: dict[int, FunctionType] = {}
    pending = [function]
    while pending:
        each = pending.pop()
        if (
            not isinstance(each, FunctionType)
            or id(each) in found
            or is_library(each.__code__.co_filename)
            or str(each.__module__).startswith("kalelite.")  # a checkout is no library
        ):
            continue
        found[id(each)] = each
        pending += [each.__globals__.get(name) for name in _names(each.__code__)]
    return list(found.values())


def _names(code: CodeType) -> set[str]:
    """The names of globals and attributes in a code object and those inside it."""
    names = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names |= _names(const)
    return names


def _changed(functions: list[FunctionType]) -> dict[str, int]:
    """The globals that functions change, and a line for each."""
    found: dict[str, int] = {}
    for function in functions:
        code = function.__code__
        if _STORES.isdisjoint(code.co_code[::2]) and _CHANGES.isdisjoint(_names(code)):
            continue
        own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        node = definition_of(function)
        for name, line in _changes_in(node) if node is not None else ():
            value = function.__globals__.get(name)
            if (
                name in function.__globals__
                and name not in own
                and not isinstance(value, ModuleType)
            ):
                found.setdefault(name, line)
    return found


def _changes_in(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a function may change, with the line."""
    declared = {
        name for each in ast.walk(node) if isinstance(each, ast.Global) for name in each.names
    }
    for each in ast.walk(node):
        match each:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in declared:
                yield name, each.lineno
            case (
                ast.Subscript(ctx=ast.Store() | ast.Del())
                | ast.Attribute(ctx=ast.Store() | ast.Del())
            ):
                yield from _base(each)
            case ast.Call(func=ast.Attribute(attr=method) as called) if method in _CHANGES:
                yield from _base(called)


def _base(node: ast.expr) -> Iterator[tuple[str, int]]:
    """The name with which an expression of attributes and subscripts begins."""
    line = node.lineno
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id, line


def _elsewhere(name: str, functions: list[FunctionType]) -> bool:
    """Whether the file reads a name outside of some functions."""
    first = functions[0]
    tree = tree_of(first.__code__.co_filename, first.__globals__)
    inside = [definition_of(function) for function in functions]
    seen = {id(each) for node in inside if node is not None for each in ast.walk(node)}
    return any(
        isinstance(each, ast.Name)
        and each.id == name
        and isinstance(each.ctx, ast.Load)
        and id(each) not in seen
        for each in (ast.walk(tree) if tree is not None else ())
    )
