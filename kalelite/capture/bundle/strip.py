"""Source without what does nothing when it runs: docstrings, annotations, and what serves those.

What is there for a type checker only, goes, too: names of types, casts and assertions.

What is left has the names and the statements of the source, so a traceback through it reads as one
through the source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

__all__ = ["strip"]

_MAKERS = ("dataclass", "NamedTuple", "TypedDict")
"""What reads the annotations in the body of a class."""

_SPECIAL = ("ClassVar", "InitVar", "KW_ONLY")
"""Annotations whose own words they look into."""


def strip(tree: ast.Module, *, package: bool = False) -> str:
    """The stripped source of a module; ``tree`` is used up.

    Parameters
    ----------
    tree
        The module.
    package
        It is the ``__init__`` of a package, whose ``__all__`` says what a star takes.
    """
    tree = _Stripper().visit(tree)
    while aliases := [node for node in tree.body if _is_unused_type(node, set(_used(tree)))]:
        tree.body = [node for node in tree.body if node not in aliases]
    used = set(_used(tree))
    if not package:
        tree.body = [node for node in tree.body if not _is_export_list(node)]
    tree.body = [node for node in tree.body if _import_left(node, used, package=package)]
    return _narrow(ast.unparse(tree))


def _narrow(source: str) -> str:
    """The source with one space for each level, if that changes no text that has several lines."""
    narrow = re.sub(r"\n+((?: {4})*)", lambda found: "\n" + " " * (len(found[1]) // 4), source)
    same = ast.dump(ast.parse(narrow)) == ast.dump(ast.parse(source))
    return narrow if same else source


class _Stripper(ast.NodeTransformer):
    """Takes away docstrings and annotations, and what only a type checker reads."""

    def __init__(self) -> None:
        self._fields: set[int] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        makers = " ".join(map(ast.unparse, (*node.decorator_list, *node.bases)))
        if makers == "Protocol":
            node.body = []
        elif any(maker in makers for maker in _MAKERS):
            self._fields.update(id(item) for item in node.body)
        node.body = _told(node.body)
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = _told(node.body)
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        if id(node) in self._fields:
            # That a field is annotated counts, and seldom what with.
            if not any(name in ast.unparse(node.annotation) for name in _SPECIAL):
                node.annotation = ast.Constant(0)
            return node
        if node.value is None:
            return None
        assign = ast.Assign(targets=[node.target], value=node.value)
        return ast.copy_location(assign, node)

    def visit_Assert(self, node: ast.Assert) -> None:
        del node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "cast":
            return node.args[1]
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or None
        # A body of declarations only may be gone.
        node.body = node.body or [ast.Pass()]
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.body = _told(node.body)
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _told(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without texts that stand alone: docstrings, and those below a name."""
    return [
        item
        for item in body
        if not (
            isinstance(item, ast.Expr)
            and isinstance(item.value, ast.Constant)
            and isinstance(item.value.value, str)
        )
    ]


def _is_export_list(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _is_unused_type(node: ast.stmt, used: set[str]) -> bool:
    """Whether it names a type, as in ``Pair = tuple[int, int]``, for annotations that are gone."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    value = node.value
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        value = value.left
    is_type = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name)
    return is_type and node.targets[0].id not in used


def _used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # in ``__all__``, or in an annotation that is a text


def _import_left(node: ast.stmt, used: set[str], *, package: bool) -> bool:
    """Whether a module still needs an import, which loses the names that annotations used."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return bool(used.intersection(_SPECIAL))
    if isinstance(node, ast.ImportFrom) and not package:
        node.names = [name for name in node.names if (name.asname or name.name) in used]
        return bool(node.names)
    return True
