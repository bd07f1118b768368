"""Source without docstrings, annotations, and the imports that only those use.

What is left has the names and the statements of the source, so a traceback through it reads as one
through the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MAKERS = ("dataclass", "entity", "frozen", "mutable", "NamedTuple", "TypedDict")
"""What reads the annotations in the body of a class."""

_SPECIAL = ("ClassVar", "InitVar", "KW_ONLY")
"""Annotations that those look into."""


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
    used = set(_used(tree))
    if not package:
        tree.body = [node for node in tree.body if not _is_export_list(node)]
    tree.body = [node for node in tree.body if _is_needed(node, used, package=package)]
    return ast.unparse(tree)


class _Stripper(ast.NodeTransformer):
    """Takes away docstrings and annotations, and what only a type checker reads."""

    def __init__(self) -> None:
        self._fields: set[int] = set()

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Texts that stand alone are docstrings; a body of declarations only is empty then."""
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]  # type: ignore[attr-defined]
        super().generic_visit(node)
        if isinstance(body, list) and not isinstance(node, ast.Module):
            node.body = node.body or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        makers = " ".join(map(ast.unparse, (*node.decorator_list, *node.bases)))
        if makers == "Protocol":
            node.body = []
        elif any(maker in makers for maker in _MAKERS):
            self._fields.update(id(item) for item in node.body)
        return self.generic_visit(node)

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

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or None
        return node


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_export_list(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # in ``__all__``, or in an annotation that is a text


def _is_needed(node: ast.stmt, used: set[str], *, package: bool) -> bool:
    """Whether an import is needed without annotations; it loses the names that are not."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return bool(used.intersection(_SPECIAL))
    if isinstance(node, ast.ImportFrom) and not package:
        node.names = [name for name in node.names if (name.asname or name.name) in used]
        return bool(node.names)
    return True
