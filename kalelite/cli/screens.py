"""Error screens: what happened, where in the user's file, what to do."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from kalelite.cli.terminal import Terminal, clean
from kalelite.cli.words import count, near_path, short_name
from kalelite.errors import KaleliteError, Problem, Where
from kalelite.executor.spec import FailureReport, Frame

__all__ = [
    "call_lines",
    "error_screen",
    "exception_screen",
    "failure_screen",
    "internal_screen",
    "is_ours",
    "library_roots",
    "source_lines",
]

_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep
_LONGEST_MESSAGE = 40
"""Lines of an exception's message that are shown; the log and the record hold all."""


def error_screen(error: KaleliteError, terminal: Terminal) -> str:
    """An error of kalelite's own: every problem, with its source line, caret and hint."""
    alone = (Problem(error.message, error.hint, error.where),)
    problems: Sequence[Problem] = getattr(error, "problems", ()) or alone
    if len(problems) == 1:
        label = "error: "
        return terminal.paint(label, "red", "bold") + _problem(problems[0], terminal, len(label))
    shown = [_problem(problem, terminal) for problem in problems]
    files = {problem.where.file for problem in problems if problem.where}
    place = f" in {near_path(files.pop())}" if len(files) == 1 else ""
    title = terminal.paint(f"error: {count(len(shown), 'problem')}{place}", "red", "bold")
    return "\n\n".join([title, *shown])


def _problem(problem: Problem, terminal: Terminal, taken: int = 0) -> str:
    place = f"{near_path(problem.where.file)}:{problem.where.line}: " if problem.where else ""
    head, *more = _lines(place + problem.message, terminal, taken)
    message = head.removeprefix(place)
    lines = [terminal.paint(head[: len(head) - len(message)], "cyan")]
    lines[0] += terminal.paint(message, "bold")
    lines += [f"  {terminal.paint(line, 'bold')}" for line in more]
    if problem.where is not None:
        lines += source_lines(problem.where, terminal)
    if problem.hint:
        lines += _indented(problem.hint, terminal)
    return "\n".join(lines)


def _indented(text: str, terminal: Terminal) -> list[str]:
    """Text set in by two columns."""
    return [f"  {line}" for line in _lines(text, terminal)]


def _lines(text: str, terminal: Terminal, taken: int = 0) -> list[str]:
    """The lines of a text; on a terminal they are broken between words.

    ``taken`` columns of the first line are taken already.
    """
    lines = clean(text).splitlines() or [""]
    if not terminal.is_tty:
        return lines
    import textwrap

    wrap = textwrap.TextWrapper(
        max(terminal.width - 2, 20), break_long_words=False, break_on_hyphens=False
    )
    lines[0] = "-" * taken + lines[0]
    head, *rest = (part for line in lines for part in wrap.wrap(line) or [""])
    return [head[taken:], *rest]


def source_lines(where: Where, terminal: Terminal) -> list[str]:
    """The source line of a place and the caret below it, or nothing without source.

    On a terminal too narrow for it, the part around the caret.
    """
    rendered = clean(where.render()).splitlines()
    if len(rendered) == 2:
        if terminal.is_tty:
            rendered = _around_caret(rendered[0], rendered[1], terminal.width - 4)
        gutter, bar, caret = rendered[1].partition("|")
        rendered[1] = gutter + bar + terminal.paint(caret, "red", "bold")
    return rendered


def _around_caret(source: str, caret: str, width: int) -> list[str]:
    if len(source) <= width:
        return [source, caret]
    gutter = caret.index("|") + 2
    room = width - gutter
    text, marks = source[gutter:], caret[gutter:]
    begin = max(min(marks.index("^") - room // 4, len(text) - room), 0)
    shown = text[begin : begin + room]
    shown = f"{'…' if begin else shown[:1]}{shown[1:-1]}"
    shown += "…" if begin + room < len(text) else text[-1]
    return [source[:gutter] + shown, caret[:gutter] + marks[begin : begin + room]]


def exception_screen(error: BaseException, title: str, terminal: Terminal) -> str:
    """An exception of the user's script: `title`, then the user's frames, then the exception."""
    lines = [terminal.paint("error: ", "red", "bold") + terminal.paint(title, "bold"), ""]
    return "\n".join(lines + _chain(error, terminal))


def _chain(error: BaseException, terminal: Terminal) -> list[str]:
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        lines += [*_chain(cause, terminal), "", "  while handling that:", ""]
    frames, library = user_frames(error)
    lines += frame_lines(frames, terminal)
    if library:
        lines.append(_raised_in(library, terminal))
    return lines + _exception_lines(type(error), error, terminal)


def _exception_lines(
    kind: type[BaseException], error: BaseException, terminal: Terminal
) -> list[str]:
    module = kind.__module__
    name = (
        kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"
    )
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the user's __str__ may be broken as well
        message = "(its message cannot be shown)"
    lines = _message(name, message, terminal)
    for note in getattr(error, "__notes__", ()):
        lines += [f"  {line}" for line in clean(str(note)).splitlines()]
    if isinstance(error, ModuleNotFoundError):
        lines.append(f"  This Python has no such module: {sys.executable}")
    return lines


def _message(name: str, message: str, terminal: Terminal) -> list[str]:
    text = [line[:2000] for line in clean(f"{name}: {message}" if message else name).splitlines()]
    if len(text) > _LONGEST_MESSAGE:
        left_out = count(len(text) - _LONGEST_MESSAGE, "more line")
        text = [*text[:_LONGEST_MESSAGE], f"… {left_out}"]
    head, *more = _lines("\n".join(text), terminal)
    label, colon, rest = head.partition(":")
    first = f"  {terminal.paint(label, 'red', 'bold')}{colon}{rest}"
    return [first, *(f"  {line}" for line in more)]


def user_frames(error: BaseException) -> tuple[list[Frame], str]:
    """The user's frames of an exception, outermost first, and the library place that raised it.

    Frames of kalelite and of the import machinery are left out; so are those of installed
    libraries, of which only the innermost is told, unless there is nothing else to show.
    """
    frames: list[Frame] = []
    libraries: list[Frame] = []
    last = ""
    for summary in traceback.TracebackException.from_exception(error).stack:
        if summary.filename.startswith((_PACKAGE, "<frozen ")):
            continue
        frame = _frame(summary)
        library = _is_library(summary.filename)
        (libraries if library else frames).append(frame)
        last = _place(frame) if library else ""
    if not frames:
        return libraries, ""
    return frames, last


def _place(frame: Frame) -> str:
    return f"{near_path(frame.file)}:{frame.line} in {frame.function}"


def _raised_in(place: str, terminal: Terminal) -> str:
    return terminal.paint(f"  raised in {place}", "dim")


def is_ours(error: BaseException) -> bool:
    """Whether kalelite itself is to blame: its own code is the last before the libraries'.

    Where it only passes on a call of the user's, which the frame says as for pytest, it is not.
    """
    trace, last = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        hidden = "__tracebackhide__" in trace.tb_frame.f_code.co_varnames
        if not hidden and not file.startswith("<frozen ") and not _is_library(file):
            last = file
        trace = trace.tb_next
    return last.startswith(_PACKAGE)


def _frame(summary: traceback.FrameSummary) -> Frame:
    number = summary.lineno or 0
    text = linecache.getline(summary.filename, number).rstrip("\r\n")
    start, end = getattr(summary, "colno", None), getattr(summary, "end_colno", None)
    if getattr(summary, "end_lineno", number) != number:
        end = None
    # Python counts these columns in bytes.
    octets = text.encode("utf-8", "surrogatepass")
    start, end = (
        None if column is None else len(octets[:column].decode("utf-8", "replace"))
        for column in (start, end)
    )
    return Frame(summary.filename, number, summary.name, text, start, end)


@functools.cache
def library_roots() -> tuple[str, ...]:
    """The folders of Python's own modules and of installed packages."""
    paths = sysconfig.get_paths()
    return tuple(paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _is_library(file: str) -> bool:
    # A step may have run on another machine, whose folders these are not.
    elsewhere = f"{os.sep}site-packages{os.sep}", f"{os.sep}lib{os.sep}python3."
    return any(part in file for part in elsewhere) or file.startswith(library_roots())


def frame_lines(frames: Sequence[Frame], terminal: Terminal) -> list[str]:
    """Frames with their source lines; a long recursion is shown by its two ends."""
    shown: Iterable[Frame | int] = frames
    if len(frames) > 12:
        shown = [*frames[:4], len(frames) - 10, *frames[-6:]]
    lines: list[str] = []
    for frame in shown:
        if isinstance(frame, int):
            lines.append(f"  … {count(frame, 'frame')} more")
            continue
        place = terminal.paint(f"{near_path(frame.file)}:{frame.line}", "cyan")
        function = "" if frame.function == "<module>" else f" in {frame.function}"
        lines.append(f"  {place}{function}")
        where = Where(frame.file, frame.line, frame.column, frame.end_column, frame.text)
        lines += [f"  {line}" for line in source_lines(where, terminal)]
    return lines


def call_lines(where: Where, terminal: Terminal) -> list[str]:
    """Where a step is called, for a failure that is in no line of the user's code."""
    place = terminal.paint(f"{near_path(where.file)}:{where.line}", "cyan")
    return [f"  {place} calls it", *(f"  {line}" for line in source_lines(where, terminal))]


def failure_screen(failure: FailureReport, terminal: Terminal) -> list[str]:
    """Why a step failed: causes first, then the user's frames, the exception and the hint."""
    lines: list[str] = []
    if failure.cause is not None:
        many = "BaseExceptionGroup" in failure.bases
        words = "and others, which are raised together:" if many else "while handling that:"
        lines += [*failure_screen(failure.cause, terminal), "", f"  {words}", ""]
    frames = [frame for frame in failure.frames if not _is_library(frame.file)]
    lines += frame_lines(frames or failure.frames, terminal)
    if frames and frames[-1] is not failure.frames[-1]:
        lines.append(_raised_in(_place(failure.frames[-1]), terminal))
    lines += _message(short_name(failure.type), failure.message, terminal)
    if failure.hint:
        lines += _indented(failure.hint, terminal)
    return lines


def internal_screen(error: BaseException, terminal: Terminal, *, full: bool) -> str:
    """A fault in kalelite itself: say so, and how to report it."""
    title = terminal.paint("internal error: ", "red", "bold")
    what = traceback.format_exception_only(type(error), error)[-1].strip()
    lines = [f"{title}{clean(what)}"]
    if full:
        return "\n".join(
            [
                *lines,
                "",
                "".join(traceback.format_exception(type(error), error, error.__traceback__)),
            ]
        )
    inner = traceback.extract_tb(error.__traceback__)
    if inner:
        lines.append(f"  {inner[-1].filename}:{inner[-1].lineno} in {inner[-1].name}")
    lines.append("  This is a fault in kalelite, not in your script. Please report it, with what")
    lines.append("  the same command prints when the environment has KALELITE_DEBUG=1.")
    return "\n".join(lines)
