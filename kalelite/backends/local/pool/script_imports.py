"""What a script imports, read from its source: the fork server can import it meanwhile."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["imports_of", "installed"]


def imports_of(source: str) -> list[str]:
    """The modules that a source imports at its top level, in order; none if it does not parse.

    Imports below ``if``, ``try`` and ``with`` count, those of type checkers only do not.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: dict[str, None] = {}
    stack: list[ast.stmt] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found.update((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module] = None
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(reversed(node.orelse))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            parts = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
            stack.extend(reversed([stmt for part in parts for stmt in part]))
    return list(found)


def installed(names: Iterable[str], path: Sequence[str] | None = None) -> list[str]:
    """Those of the modules that belong to an installed package, found without importing them.

    Modules of the standard library are left out, and so are the user's own: their code must
    not run in the fork server.
    """
    entries = sys.path if path is None else path
    sites = [entry for entry in entries if Path(entry).name in ("site-packages", "dist-packages")]
    kept = []
    for name in names:
        root = name.partition(".")[0]
        if root == "kalelite" or root in sys.stdlib_module_names:
            continue
        if PathFinder.find_spec(root, sites) is not None and not _shadowed(root, entries):
            kept.append(name)
    return kept


def _shadowed(root: str, entries: Sequence[str]) -> bool:
    """Whether a module beside the script hides the installed one."""
    spec = PathFinder.find_spec(root, list(entries))
    return spec is None or not any(
        Path(part).name in ("site-packages", "dist-packages")
        for part in Path(
            spec.origin or next(iter(spec.submodule_search_locations or ["."]))
        ).parents
    )
