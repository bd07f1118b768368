"""Places in the user's source: from a frame, a code object or a function to a `Where`.

Columns come from the code object. Source is read through linecache, so notebook cells work and
byte-order marks do no harm.
"""

from __future__ import annotations

import ast
import functools
import linecache
import weakref
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from types import CodeType, FrameType
from typing import Any

from kalelite.errors import Where
from kalelite.frozen import mutable


@mutable
class _Code:
    """What is known of a code object: its positions and the places read so far."""

    ref: weakref.ref[CodeType]
    positions: list[Any] | None = None
    places: dict[int, Where] = field(default_factory=dict)


# Keyed by identity: to hash a code object means to hash all its constants, each time.
_codes: dict[int, _Code] = {}
_trees: dict[str, tuple[list[str], ast.Module | None]] = {}


def of_frame(frame: FrameType) -> Where:
    """The place that the frame is executing."""
    code, offset = frame.f_code, frame.f_lasti
    entry = _codes.get(id(code))
    if entry is not None and offset in entry.places:
        return entry.places[offset]
    # Python searches the line anew each time; a long body has many.
    line = None if entry is not None and entry.positions else frame.f_lineno
    return of_instruction(code, offset, line, frame.f_globals)


def of_decorator(frame: FrameType) -> Where:
    """As `of_frame`, of a decorator that is called: its name, without the brackets."""
    where = of_frame(frame)
    end = where.text.find("(", where.column or 0)
    return where if where.column is None or end < 0 else replace(where, end_column=end)


def of_instruction(
    code: CodeType, offset: int, line: int | None, module: dict[str, Any] | None = None
) -> Where:
    """The place of the instruction at an offset of a code object."""
    entry = _codes.get(id(code))
    if entry is None:
        key = id(code)
        entry = _Code(weakref.ref(code, lambda _: _codes.pop(key, None)))
        _codes[key] = entry
    place = entry.places.get(offset)
    if place is None:
        place = _read(code, entry, offset, line or code.co_firstlineno, module)
        entry.places[offset] = place
    return place


def of_function(function: Callable[..., Any]) -> Where | None:
    """The line of a function's ``def``, below its decorators; None for what has no source."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return None
    line = code.co_firstlineno
    module = getattr(function, "__globals__", None)
    is_lambda = function.__name__ == "<lambda>"
    for number in range(line, line if is_lambda else line + 50):
        text = _line(code.co_filename, number, module)
        if text.lstrip().startswith(("def ", "async def ", "class ")):
            start = text.find(function.__name__)
            if start < 0:
                return Where(code.co_filename, number, text=text)
            return Where(code.co_filename, number, start, start + len(function.__name__), text)
        if not text:
            break
    return Where(code.co_filename, line, text=_line(code.co_filename, line, module))


def _line(filename: str, number: int, module: dict[str, Any] | None) -> str:
    return linecache.getline(filename, number, module).rstrip("\r\n")


def of_return(function: Callable[..., Any]) -> Where | None:
    """The one ``return`` of a function that gives a value; None if there are several."""
    found = [node for node in returns_in(definition_of(function)) if node.value is not None]
    if len(found) != 1 or found[0].value is None:
        return None
    where = Where(function.__code__.co_filename, found[0].lineno)
    return _of_node(where, found[0].value, getattr(function, "__globals__", None))


def definition_of(function: Callable[..., Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The syntax of a function; None for what has no source."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return None
    tree = tree_of(code.co_filename, getattr(function, "__globals__", None))
    for node in nodes_of(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def returns_in(node: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator[ast.Return]:
    """The ``return`` statements of a function, without those of functions inside it."""
    pending: list[ast.AST] = list(reversed(node.body)) if node is not None else []
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Return):
            yield inner
        elif not isinstance(
            inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        ):
            pending.extend(reversed(list(ast.iter_child_nodes(inner))))


def of_keyword(where: Where | None, name: str) -> Where | None:
    """The place of ``name=…`` in the call at a place, or of ``"name": …`` in a dict in it.

    It is the place itself where the source does not show it.
    """
    tree = tree_of(where.file) if where is not None and where.column is not None else None
    if tree is None or where is None or where.column is None:
        return where
    start = bytes_before(where.text, where.column)
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and (node.lineno, node.col_offset) == (where.line, start):
            for found, value in _named(node):
                if found == name:
                    return _of_node(where, value)
    return where


def _named(call: ast.Call) -> Iterator[tuple[Any, ast.expr | ast.keyword]]:
    for keyword in call.keywords:
        yield keyword.arg, keyword
        if isinstance(keyword.value, ast.Dict):
            pairs = zip(keyword.value.keys, keyword.value.values, strict=True)
            yield from ((key.value, value) for key, value in pairs if isinstance(key, ast.Constant))


def _of_node(
    where: Where, node: ast.expr | ast.keyword, module: dict[str, Any] | None = None
) -> Where:
    text = _line(where.file, node.lineno, module)
    end = len(text)
    if node.end_lineno == node.lineno and node.end_col_offset is not None:
        end = characters_before(text, node.end_col_offset)
    return Where(where.file, node.lineno, characters_before(text, node.col_offset), end, text)


def tree_of(filename: str, module: dict[str, Any] | None = None) -> ast.Module | None:
    """The syntax tree of a file or cell, None if there is no source or it is no Python."""
    lines = linecache.getlines(filename, module)
    if not lines:
        return None
    known = _trees.get(filename)
    if known is not None and known[0] is lines:
        return known[1]
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        tree = None
    _trees[filename] = (lines, tree)
    return tree


@functools.lru_cache(maxsize=64)
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    """All nodes of a tree: many ask for them, and to walk it takes as long as to parse it."""
    return tuple(ast.walk(tree))


def of_syntax_error(error: SyntaxError, file: str, text: str) -> Where:
    """Where in a file's text Python found it to be no Python."""
    number = error.lineno or 1
    lines = text.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else (error.text or "").rstrip("\n")
    start = max((error.offset or 1) - 1, 0)
    end = error.end_offset
    same_line = error.end_lineno in {None, number}
    stop = end - 1 if end and end - 1 > start and same_line else start + 1
    return Where(error.filename or file, number, start, stop, line.removeprefix("\ufeff"))


def _read(
    code: CodeType, entry: _Code, offset: int, line: int, module: dict[str, Any] | None
) -> Where:
    if entry.positions is None:
        entry.positions = list(code.co_positions())
    first, last, start, end = entry.positions[offset // 2]  # columns in bytes
    if first is None:
        first, start = line, None
    text = _line(code.co_filename, first, module)
    if not text or start is None:
        return Where(code.co_filename, first, text=text)
    # A place over several lines is marked to the end of its first one.
    finish = (
        characters_before(text, end) if end is not None and last in {first, None} else len(text)
    )
    return Where(code.co_filename, first, characters_before(text, start), finish, text)


def characters_before(text: str, column: int) -> int:
    """How many characters stand before a column that counts UTF-8 bytes, as Python's do."""
    if text.isascii():
        return column
    return len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))


def bytes_before(text: str, column: int) -> int:
    """How many UTF-8 bytes stand before a column that counts characters."""
    return len(text[:column].encode("utf-8", "surrogatepass"))
