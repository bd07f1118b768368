"""Which names code takes from outside, and which it binds, by its syntax."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "display", "get_ipython"}


def bound_by(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds, besides `ast.Name` in it."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name


def arguments_of(node: SCOPES) -> set[str]:
    """The names of a function's parameters."""
    found = node.args
    each = [*found.posonlyargs, *found.args, *found.kwonlyargs, found.vararg, found.kwarg]
    return {argument.arg for argument in each if argument is not None}


def evaluated_outside(node: ast.AST) -> list[ast.AST]:
    """The parts of a function, class or comprehension that the scope around it evaluates."""
    match node:
        case ast.Lambda():
            return [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inner = [a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg)]
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            return [n for n in [*node.decorator_list, *defaults, *inner, node.returns] if n]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
    return []


@dataclass
class _Scope:
    """Names of one scope: read, bound, and declared to be global."""

    reads: dict[str, int] = field(default_factory=dict)
    binds: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)

    def look(self, node: ast.AST) -> None:
        """Take in a node of this scope, and what inner scopes take from it."""
        for name in bound_by(node):
            self.binds.add(name)
        match node:
            case ast.Name(ctx=ast.Load()):
                self.reads.setdefault(node.id, node.lineno)
            case ast.Name():
                self.binds.add(node.id)
            case ast.Global() | ast.Nonlocal():
                self.outer.update(node.names)
                self.reads.update(dict.fromkeys(node.names, node.lineno))
        if isinstance(node, SCOPES | ast.ClassDef | _COMPREHENSIONS):
            for part in evaluated_outside(node):
                self.look(part)
            for name, line in free_names(node).items():
                self.reads.setdefault(name, line)
            return
        for child in ast.iter_child_nodes(node):
            self.look(child)

    def free(self) -> dict[str, int]:
        """What it takes from around it."""
        own = self.binds - self.outer
        return {name: line for name, line in self.reads.items() if name not in own}


def free_names(node: ast.AST) -> dict[str, int]:
    """The names that a function, class or comprehension takes from outside, with their lines."""
    scope = _Scope()
    if isinstance(node, SCOPES):
        scope.binds |= arguments_of(node)
        body: list[ast.AST] = [*node.body] if isinstance(node.body, list) else [node.body]
        for part in body:
            scope.look(part)
        return scope.free()
    if isinstance(node, ast.ClassDef):
        inner: dict[str, int] = {}
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                scope.binds.update(bound_by(statement))
                for outside in evaluated_outside(statement):
                    scope.look(outside)
                inner |= free_names(statement)  # methods do not see the names of the class
            else:
                scope.look(statement)
        return {**inner, **scope.free()}
    for child in ast.iter_child_nodes(node):
        scope.look(child)
    return scope.free()
