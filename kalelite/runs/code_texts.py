"""The source of a run's steps as it was, and what of it differs from that of another run."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

from kalelite.capture.load import CodeFolder
from kalelite.errors import KaleliteError
from kalelite.frozen import frozen

_MOST_LINES = 12


@frozen
class CodeTexts:
    """The texts of the script and of the local modules of a run, by their files' paths."""

    files: dict[str, str]
    modules: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> CodeTexts:
        """Those of a folder of captured code; none where it cannot be read here."""
        try:
            code = CodeFolder(folder)
        except (KaleliteError, OSError):
            return cls({}, {})
        modules = code.index["modules"]
        files = {file: code.text(blob) for file, blob in code.index["sources"].items()}
        files |= {one["file"]: code.text(one["blob"]) for one in modules.values()}
        return cls(files, {name: one["file"] for name, one in modules.items()})

    def definitions(self, name: str) -> Iterator[tuple[str, int, list[str]]]:
        """Where a function, class or global is defined: file, first line and lines."""
        for file, text in self.files.items():
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError):
                continue
            node = next((node for node in ast.walk(tree) if _defines(node, name)), None)
            if isinstance(node, ast.stmt):
                decorators = getattr(node, "decorator_list", ())
                first = min([node.lineno, *(one.lineno for one in decorators)])
                yield file, first, text.splitlines()[first - 1 : node.end_lineno]

    def module(self, name: str) -> Iterator[tuple[str, int, list[str]]]:
        """The whole text of a local module, as one definition."""
        if name in self.modules:
            yield self.modules[name], 1, self.files[self.modules[name]].splitlines()


def _defines(node: ast.AST, name: str) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.Assign(targets=targets):
            return any(isinstance(one, ast.Name) and one.id == name for one in targets)
        case ast.AnnAssign(target=ast.Name(id=found)) | ast.AugAssign(target=ast.Name(id=found)):
            return found == name
    return False


def difference(before: CodeTexts, after: CodeTexts, name: str, *, module: bool) -> tuple[str, ...]:
    """A short diff of what a name stands for; empty if its text is the same or not known."""
    old = before.module(name) if module else before.definitions(name)
    new = after.module(name) if module else after.definitions(name)
    for (_, _, gone), (file, first, lines) in zip(old, new, strict=False):
        if gone != lines:
            return (f"{file}:{first}", *_short(difflib.unified_diff(gone, lines, n=1, lineterm="")))
    return ()


def _short(diff: Iterator[str]) -> list[str]:
    lines = [line for line in list(diff)[2:] if not line.startswith("@@")]
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… and {more} more lines"]
