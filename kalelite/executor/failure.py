"""Why a step failed, as plain text: nobody unpickles an exception, and none can break the report."""

from __future__ import annotations

import inspect
import itertools
import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from opcode import opmap
from types import CodeType, TracebackType
from typing import Any

from kalelite.errors import KaleliteError
from kalelite.executor.spec import FailureReport, Frame

MESSAGE = 10_000
"""Longest message, in characters."""
TRACEBACK = 100_000
_FRAMES = 40
_CAUSES = 5

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_RETURNS = {opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in opmap}
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Terminated(SystemExit):
    """SIGTERM has come. The step is left as by `sys.exit`, so that ``finally`` does its work."""


def report(error: BaseException, *, step: str = "") -> FailureReport:
    """What happened, as text. Never raises, whatever the exception's own methods do."""
    return _report(error, step, _CAUSES, set())


def _report(error: BaseException, step: str, depth: int, seen: set[int]) -> FailureReport:
    seen.add(id(error))
    cause = _cause(error)
    below = None
    if cause is not None and depth and id(cause) not in seen:
        below = _report(cause, step, depth - 1, seen)
        if isinstance(error, KaleliteError) and not any(map(is_users, below.frames)):
            below = None  # its own message says it, and nobody can look into it
    return FailureReport(
        type=_type_name(error),
        message=_message(error),
        frames=for_user(_frames(error.__traceback__)),
        traceback=_full_text(error),
        hint=_hint(error, step),
        cause=below,
        bases=_bases(error),
    )


def _cause(error: BaseException) -> BaseException | None:
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple) and members and isinstance(members[0], BaseException):
        return members[0]
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _bases(error: BaseException) -> tuple[str, ...]:
    """The names of the error's class and of all that it derives from, as retries name them."""
    return tuple(map(class_name, type(error).__mro__[:-1]))


def _type_name(error: BaseException) -> str:
    if isinstance(error, KaleliteError | Terminated):
        return type(error).__qualname__
    return class_name(type(error))


def class_name(kind: type) -> str:
    """A class as a person names it: ``int``, ``pandas.core.frame.DataFrame``."""
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return _exit_message(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, KaleliteError):
        return printable(error.message)
    text = _text(error)
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple):
        text += ": " + "; ".join(f"{_type_name(item)}: {_message(item)}" for item in members[:10])
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        text = "\n".join([text, *(note for note in notes if isinstance(note, str))])
    return printable(text)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # the user's __str__ may raise anything
        return f"(the message cannot be shown: its __str__ raised {type(second).__name__})"


def _exit_message(error: SystemExit) -> str:
    if isinstance(error, Terminated):
        return "something outside this run asked its process to end (SIGTERM)"
    if error.code is None or error.code == 0:
        return "the step ended the process with sys.exit() instead of returning"
    try:
        code = repr(error.code)
    except BaseException:
        code = type(error.code).__name__
    return printable(f"the step ended the process with sys.exit({code})")


def printable(text: str, limit: int = MESSAGE) -> str:
    """The text without what a terminal or a JSON reader would choke on, cut at the limit."""
    if len(text) > limit:
        rest = len(text) - limit
        text = f"{text[:limit]} … ({rest:,} more characters)"
    if text.isprintable():
        return text
    return "".join(map(_printable_char, text))


def _printable_char(char: str) -> str:
    if char.isprintable() or char in "\n\t":
        return char
    return char.encode("unicode_escape").decode()


def _hint(error: BaseException, step: str) -> str:
    if isinstance(error, KaleliteError):
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        package, dot, _ = error.name.partition(".")
        if dot and package in sys.modules:
            return f"{package!r} is here, and has no {error.name!r}: another version of it may have"
        return f"step {step or 'this'} needs the package {package!r}, which is not installed here"
    if type(error).__name__ == "BdbQuit" and _nobody_types():
        return "Nobody is at the keyboard of a step: with --debug, breakpoint() works."
    if isinstance(error, MemoryError):
        return "the step ran out of memory: give it more with memory=, or work on less at once"
    return ""


def _nobody_types() -> bool:
    """Whether the standard input is the null device, as it is for the process of a step."""
    try:
        return os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev
    except OSError:
        return True


# --- frames ----------------------------------------------------------------------------------


def _frames(trace: TracebackType | None) -> Iterator[Frame]:
    while trace is not None:
        yield _frame(trace)
        trace = trace.tb_next


def is_users(frame: Frame) -> bool:
    """Whether a frame is of the user's own code, and not of a library's."""
    if frame.file.startswith(("<frozen", _OURS, _STDLIB)):
        return False
    return not any(part in frame.file for part in _INSTALLED)


def for_user(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """The user's frames, and the innermost one of a library if it was a library that raised."""
    entries = [frame for frame in frames if not frame.file.startswith(_OURS)]
    kept = [frame for frame in entries if is_users(frame)]
    if entries and kept and entries[-1] is not kept[-1]:
        kept.append(entries[-1])
    shown = [frame for frame, _ in itertools.groupby(kept or entries[-1:])]
    if len(shown) > _FRAMES:
        shown = shown[: _FRAMES // 2] + shown[-_FRAMES // 2 :]
    return tuple(shown)


def _frame(trace: TracebackType) -> Frame:
    code = trace.tb_frame.f_code
    text = linecache.getline(code.co_filename, trace.tb_lineno).rstrip("\r\n")
    columns = _columns(code, trace.tb_lasti, trace.tb_lineno, text)
    return frame_at(code.co_filename, trace.tb_lineno, code.co_qualname, columns)


def frame_at(
    file: str, line: int, function: str, columns: tuple[int | None, int | None] = (None, None)
) -> Frame:
    """The frame at a line, with that line's text."""
    text = linecache.getline(file, line).rstrip("\r\n")
    return Frame(file, line, function, printable(text, 1000), *columns)


def _columns(code: CodeType, offset: int, line: int, text: str) -> tuple[int | None, int | None]:
    """Start and end of what failed, in characters of the line."""
    if offset < 0 or not text.isprintable():
        return None, None
    found = next(itertools.islice(code.co_positions(), offset // 2, None), None)
    if found is None or found[0] != line or found[2] is None:
        return None, None
    encoded = text.encode()
    start = len(encoded[: found[2]].decode(errors="replace"))
    if found[1] != line or found[3] is None:
        return start, None
    return start, len(encoded[: found[3]].decode(errors="replace"))


def at_return(function: Any) -> tuple[Frame, ...]:
    """A frame at the one ``return`` of a function, at its ``def`` where there are several."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ()
    returns = {
        line
        for start, end, line in code.co_lines()
        if line and not _RETURNS.isdisjoint(code.co_code[start:end:2])
    }
    line = returns.pop() if len(returns) == 1 else _def_line(code)
    return (frame_at(code.co_filename, line, code.co_qualname),)


def _def_line(code: CodeType) -> int:
    """The line of ``def``; Python counts from the first decorator."""
    first = code.co_firstlineno
    for line in range(first, first + 100):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("def ", "async ")):
            return line
    return first


def _full_text(error: BaseException) -> str:
    """The whole traceback without kalelite's own frames."""
    import traceback

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException as second:  # the exception's own methods run in there
        return f"(the traceback cannot be shown: {type(second).__name__})"
    return printable("".join(lines), TRACEBACK)
