"""Messages about what cannot travel: why, where it is used, and where it is assigned."""

from __future__ import annotations

import ast
import contextlib
import dis
import inspect
import linecache
import re
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from kalelite.capture.bytecode import codes, is_class
from kalelite.capture.namespaces import importable
from kalelite.errors import Problem, Where

# By the name of the type, or of a base of it, so that no library has to be imported to know it.
_NEVER_TRAVELS = {
    "_io._IOBase": "an open file, which stays where it was opened",
    "_thread.lock": "a lock, which means something in one process only",
    "_thread.RLock": "a lock, which means something in one process only",
    "threading.Thread": "a thread, which lives in one process only",
    "threading.Condition": "a lock, which means something in one process only",
    "threading.Event": "a lock, which means something in one process only",
    "threading.Semaphore": "a lock, which means something in one process only",
    "_socket.socket": "a socket, which is one end of a connection of this process",
    "builtins.generator": "a generator, which cannot be copied half-way",
    "builtins.coroutine": "a coroutine, which cannot be copied half-way",
    "builtins.async_generator": "a generator, which cannot be copied half-way",
    "builtins.frame": "a stack frame, which lives in one process only",
    "sqlite3.Connection": "a database connection of this process",
    "sqlite3.Cursor": "a database cursor of this process",
    "sqlalchemy.engine.base.Engine": "a database connection of this process",
    "subprocess.Popen": "a child process of this process",
    "concurrent.futures._base.Executor": "a pool of workers of this process",
    "multiprocessing.pool.Pool": "a pool of workers of this process",
    "_contextvars.ContextVar": "a context variable, which lives in one process only",
    "_asyncio.Task": "a running task, which lives in one process only",
    "_asyncio.Future": "a future, which lives in one process only",
    "weakref.ReferenceType": "a weak reference, which keeps nothing alive to copy",
}


def _description(value: Any) -> str:
    """What it is, if it is of a kind that never travels."""
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(value).__mro__)
    return next((_NEVER_TRAVELS[name] for name in names if name in _NEVER_TRAVELS), "")


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif is_class(value):
        for name, item in list(vars(value).items()):
            yield f".{name}", item
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{key!r:.40}]", item
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    else:
        for name, item in list(getattr(value, "__dict__", {}).items()):
            yield f".{name}", item


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What travels with a function: its defaults, and the variables that it closes over."""
    for name, parameter in inspect.signature(function, follow_wrapped=False).parameters.items():
        if parameter.default is not parameter.empty:
            yield f"'s default of {name}", parameter.default
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # not yet assigned
            yield f"'s variable {name}", cell.cell_contents


def _goes_by_name(value: Any) -> bool:
    """Whether it is imported where it is used, so that nothing in it has to travel."""
    return (is_class(value) or isinstance(value, FunctionType)) and importable(value) is not None


def _culprit(value: Any, *, depth: int = 6, width: int = 1000) -> tuple[str, str]:
    """The path inside the value to the first thing that never travels, and what it is."""
    level: list[tuple[str, Any]] = [("", value)]
    seen: set[int] = set()
    for _ in range(depth):
        below: list[tuple[str, Any]] = []
        for path, item in level:
            if description := _description(item):
                return path, description
            if id(item) not in seen and not _goes_by_name(item):
                seen.add(id(item))
                below.extend((path + step, child) for step, child in _children(item))
        level = below[:width]
    return "", ""


def refusal(
    what: str,
    value: Any,
    where: Where | None,
    error: BaseException,
    *,
    name: str | None = None,
    file: object = None,
    limit: int | None = None,
) -> Problem:
    """The problem that pickling a value ends with an error.

    Parameters
    ----------
    what, where
        The value as a person knows it, and where it is used.
    name, file
        Of a global: its name, and the file that may assign it.
    limit
        The limit that its pickle exceeds, in bytes, if it does.
    """
    if name == "get_ipython" and where is not None:
        magic = _magic(where.text)
        return Problem(
            f"{what.partition(' that ')[2] or 'a step uses'} {magic}, and there is no IPython where a "
            "step runs",
            "Put it into a cell of its own, or write it in Python: subprocess.run for a command.",
            where,
        )
    line = _assignment(file, name) if name and isinstance(file, str) else None
    bound = f" ({name} is assigned on line {line})" if line else ""
    if limit is not None:
        return Problem(
            f"{what} is too large to travel with the code: it is {_describe(value)}, "
            f"and the limit is {readable_size(limit)}{bound}",
            "load it inside the step, or let a step return it and pass it as an argument",
            where,
        )
    return Problem(
        f"{what} cannot travel to a step: {_reason(name or 'it', value, error)}{bound}",
        "make it inside the step, or pass it on as something that can be copied",
        where,
    )


def _magic(line: str) -> str:
    """What a line asks of IPython, as the user has written it."""
    found = re.search(r"get_ipython\(\)\.(\w+)(\(.*\))", line)
    try:
        words = ast.literal_eval(found[2][:-1] + ",)") if found else ()
    except (SyntaxError, ValueError):
        words = ()
    if found is None or not words:
        return "get_ipython()"
    sign = {"run_line_magic": "%", "run_cell_magic": "%%"}.get(found[1], "!")
    return f"the magic `{sign}{' '.join(words[:2]).strip()}`"


def no_source(name: str, file: str, what: str, where: Where | None) -> Problem:
    """The problem that a local module is no Python source."""
    return Problem(
        f"the local module {name!r} that {what} uses cannot travel: {file} is not Python source",
        "install it where the step runs, as a package",
        where,
    )


def _reason(name: str, value: Any, error: BaseException) -> str:
    """Why a value cannot travel."""
    path, description = _culprit(value)
    if path:
        return f"{name}{path} is {description}".replace("it's ", "its ", 1)
    if description:
        return f"it is {description}"
    text = " ".join(str(error).split())[:300]
    return f"it is {_describe(value)}, and pickling it fails: {text or type(error).__name__}"


def readable_size(size: float) -> str:
    """Bytes as a person writes them."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _describe(value: Any) -> str:
    """Type, and shape and size where they say something."""
    kind = type(value)
    module = kind.__module__
    name = (
        kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"
    )
    shape = getattr(value, "shape", None)
    size = getattr(value, "nbytes", None)
    if isinstance(shape, tuple):
        size_text = f", {readable_size(size)}" if isinstance(size, int) else ""
        dtype = getattr(value, "dtype", "")
        return f"{name} of {dtype} {tuple(shape)}{size_text}".replace("  ", " ")
    if isinstance(value, str | bytes | bytearray):
        return f"{name} of {readable_size(sys.getsizeof(value))}"
    if isinstance(value, list | tuple | dict | set | frozenset):
        return f"{name} of {len(value):,} items"
    return name


def use(code: CodeType, name: str) -> Where:
    """Where the code, or code nested in it, uses the global."""
    for current in codes(code):
        for instruction in dis.get_instructions(current):
            if instruction.argval != name or "GLOBAL" not in instruction.opname:
                continue
            at = instruction.positions
            if at is not None and at.lineno is not None:
                text = linecache.getline(current.co_filename, at.lineno).rstrip("\n")
                columns = (_column(text, at.col_offset), _column(text, at.end_col_offset))
                return Where(current.co_filename, at.lineno, *columns, text)
    text = linecache.getline(code.co_filename, code.co_firstlineno).rstrip("\n")
    return Where(code.co_filename, code.co_firstlineno, text=text)


def _column(text: str, offset: int | None) -> int | None:
    """Positions count bytes of UTF-8, a `Where` counts characters."""
    if offset is None:
        return None
    return len(text.encode()[:offset].decode(errors="replace"))


def _assignment(file: str, name: str) -> int | None:
    """The line on which the source last binds the global, if that is to be found."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None
    found = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            found = max(found or 0, node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if name in bound:
                found = max(found or 0, node.lineno)
    return found
