"""The names that statements read and bind when they run one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from kalelite.notebook.free_names import bound_by, evaluated_outside, free_names


@dataclass
class Names:
    """The names of a row of statements.

    Attributes
    ----------
    reads
        Names that may be read before the statements have bound them, with their first lines.
    sure
        Those of them that the statements read themselves, and not a function in them.
    early
        Those that they read themselves where nothing, not even under a condition, has bound them.
    binds
        Names that they bind, with the first line.
    settled
        Names that are bound at the end, whatever branches were taken.
    deleted
        Names that are deleted at the end.
    """

    reads: dict[str, int] = field(default_factory=dict)
    sure: set[str] = field(default_factory=set)
    early: set[str] = field(default_factory=set)
    binds: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    deleted: dict[str, int] = field(default_factory=dict)


def names_of(statements: Iterable[ast.stmt]) -> Names:
    """The names of statements that run in this order."""
    found = Names()
    course = _Course(found)
    course.block(statements)
    found.settled = course.settled
    return found


def assigned(statements: Iterable[ast.stmt]) -> list[str]:
    """The names that assignments bind, in order, but for those with an underscore before them."""
    found: dict[str, None] = {}
    pending: list[ast.AST] = list(reversed([*statements]))
    while pending:
        node = pending.pop()
        targets: list[ast.expr] = []
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue
            case ast.Assign(targets=targets):
                pass
            case ast.AnnAssign(value=ast.expr()) | ast.AugAssign() | ast.NamedExpr():
                targets = [node.target]
        for part in (part for target in targets for part in ast.walk(target)):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                found[part.id] = None
        pending += reversed([*ast.iter_child_nodes(node)])
    return [name for name in found if not name.startswith("_")]


class _Course:
    """Follows the statements as they may run; ``settled`` are the names that are bound here."""

    def __init__(self, found: Names, settled: Iterable[str] = ()) -> None:
        self._found = found
        self.settled = set(settled)

    def _branch(self, *parts: Iterable[ast.AST]) -> set[str]:
        course = _Course(self._found, self.settled)
        for part in parts:
            course.block(part)
        return course.settled

    def block(self, nodes: Iterable[ast.AST]) -> None:
        """Statements or expressions, one after the other."""
        for node in nodes:
            self.look(node)

    def _bind(self, name: str, line: int) -> None:
        self._found.binds.setdefault(name, line)
        self._found.deleted.pop(name, None)
        self.settled.add(name)

    def _read(self, name: str, line: int, *, sure: bool = True) -> None:
        if name not in self.settled:
            self._found.reads.setdefault(name, line)
            if sure:
                self._found.sure.add(name)
                if name not in self._found.binds:
                    self._found.early.add(name)

    def look(self, node: ast.AST) -> None:
        """One node."""
        match node:
            case ast.Name(ctx=ast.Load()):
                self._read(node.id, node.lineno)
            case ast.Name(ctx=ast.Store()):
                self._bind(node.id, node.lineno)
            case ast.Name(ctx=ast.Del()):
                self._read(node.id, node.lineno)
                self._bind(node.id, node.lineno)
                self.settled.discard(node.id)
                self._found.deleted[node.id] = node.lineno
            case ast.Assign():
                self.block([node.value, *node.targets])
            case ast.AnnAssign():
                self.block([n for n in (node.annotation, node.value) if n])
                if node.value is not None or not isinstance(node.target, ast.Name):
                    self.look(node.target)
            case ast.AugAssign():
                if isinstance(node.target, ast.Name):
                    self._read(node.target.id, node.lineno)
                self.block([node.value, node.target])
            case ast.NamedExpr():
                self.block([node.value, node.target])
            case ast.ExceptHandler():
                if node.type:
                    self.look(node.type)
                if node.name:
                    self._bind(node.name, node.lineno)
                self.block(node.body)
            case _ if not self._branches(node) and not self._definition(node):
                for name in bound_by(node):
                    self._bind(name, getattr(node, "lineno", 1))
                self.block(ast.iter_child_nodes(node))

    def _branches(self, node: ast.AST) -> bool:
        """A node with parts that may not run; whether it is one."""
        match node:
            case ast.If():
                self.look(node.test)
                self.settled |= self._branch(node.body) & self._branch(node.orelse)
            case ast.IfExp():
                self.look(node.test)
                self.settled |= self._branch([node.body]) & self._branch([node.orelse])
            case ast.For() | ast.AsyncFor():
                self.look(node.iter)
                self._branch([node.target], node.body)
                self._branch(node.orelse)
            case ast.While():
                self.look(node.test)
                body = self._branch(node.body)
                self._branch(node.orelse)
                if isinstance(node.test, ast.Constant) and node.test.value:
                    self.settled |= body
            case ast.Try() | ast.TryStar():
                done = self._branch(node.body, node.orelse)
                for handler in node.handlers:
                    done &= self._branch([handler])
                self.settled |= done
                self.block(node.finalbody)
            case ast.Match():
                self.look(node.subject)
                ends = [
                    self._branch([c.pattern, *filter(None, [c.guard])], c.body) for c in node.cases
                ]
                last = node.cases[-1]
                if (
                    isinstance(last.pattern, ast.MatchAs)
                    and not last.pattern.pattern
                    and not last.guard
                ):
                    self.settled |= set.intersection(*ends)
            case _:
                return False
        return True

    def _definition(self, node: ast.AST) -> bool:
        """A node with a scope of its own; whether it is one."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self.block(evaluated_outside(node))
                for name, line in free_names(node).items():
                    self._read(name, line, sure=False)
                self._global(node)
                for name in bound_by(node):
                    self._bind(name, node.lineno)
            case ast.ClassDef():
                self.block(evaluated_outside(node))
                for name, line in free_names(node).items():
                    self._read(name, line, sure=False)
                self._bind(node.name, node.lineno)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                for name, line in free_names(node).items():
                    self._read(name, line)
                for part in ast.walk(node):
                    if isinstance(part, ast.NamedExpr):
                        self.look(part.target)
            case _:
                return False
        return True

    def _global(self, function: ast.AST) -> None:
        """A name that a function declares global is this scope's own."""
        for part in ast.walk(function):
            if isinstance(part, ast.Global):
                for name in part.names:
                    self._found.binds.setdefault(name, part.lineno)
