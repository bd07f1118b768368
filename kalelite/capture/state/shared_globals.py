"""Globals of the script that one step changes and another one reads: the change stays in its process."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from kalelite.capture.state.top_level import MUTATORS
from kalelite.errors import Where
from kalelite.source.locations import definition_of

if TYPE_CHECKING:
    from kalelite.capture.gather import Gatherer
    from kalelite.capture.load import Name
    from kalelite.capture.pickled import Pickled


def shared(
    gatherer: Gatherer, steps: Mapping[str, tuple[Any, Pickled]], repeated: Container[str]
) -> Iterator[str]:
    """A sentence for each global that a step changes and a call that is not the same one reads.

    ``steps`` are the functions of the steps and what was captured of them, by name; ``repeated``
    are those that are called more than once.
    """
    reads: dict[Name, list[str]] = {}
    writes: dict[Name, tuple[str, Where]] = {}
    for step, (function, taken) in steps.items():
        entries = gatherer.reached(taken).entries
        functions = [function, *_functions(gatherer, entries)]
        for name in entries:
            reads.setdefault(name, []).append(step)
        for one in functions:
            space = gatherer.world.by_dict(getattr(one, "__globals__", {}))
            if space is None:
                continue
            for changed, line in _changed(one):
                if changed in space.values:
                    where = Where(one.__code__.co_filename, line)
                    writes.setdefault((space.key, changed), (step, where))
    for name, (step, where) in writes.items():
        readers = [other for other in reads.get(name, ()) if other != step or step in repeated]
        if readers:
            who = " and ".join(readers) if readers != [step] else "its other calls"
            yield (
                f"{where}: {step} changes the global {name[1]!r}, and {who} will not see that: each"
                " call has a process of its own. Return the value, and give it to the next step."
            )


def _functions(gatherer: Gatherer, entries: Mapping[Name, Pickled]) -> Iterator[FunctionType]:
    for name, item in entries.items():
        if item.kind == "function":
            value = gatherer.world.value(name)
            if isinstance(value, FunctionType):
                yield value


def _changed(function: Any) -> Iterator[tuple[str, int]]:
    """The globals that the code of a function binds or changes, with the lines."""
    definition = definition_of(function)
    if definition is None:
        return
    names = function.__code__.co_names
    own = {
        name for node in ast.walk(definition) if isinstance(node, ast.Global) for name in node.names
    }
    for node in ast.walk(definition):
        targets: list[ast.AST] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            targets = [node.func] if node.func.attr in MUTATORS else []
        for target in targets:
            root = target
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if not isinstance(root, ast.Name):
                continue
            if root.id in (own if root is target else names):
                yield root.id, root.lineno
