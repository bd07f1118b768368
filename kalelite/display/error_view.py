"""Errors as lines: what happened, where in the user's file, what to do."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from kalelite.display.screen import Line, Piece
from kalelite.errors import KaleliteError, Problem, Where, book_of
from kalelite.executor.spec import FailureReport, Frame
from kalelite.humanize import clean, count, near_path, near_place, short_name
from kalelite.source.libraries import is_library
from kalelite.source.locations import characters_before

_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep
_LONGEST_MESSAGE = 40
"""Lines of an exception's message that are shown; the log and the record hold all."""
_BLANK: Line = ()


class ScriptRaisedError(Exception):
    """The script raised something of its own; ``lines`` show it."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self.lines = lines


def error_lines(error: KaleliteError, width: int | None = None) -> Iterator[Line]:
    """An error of kalelite's own: every problem, with its source line, caret and hint.

    ``width`` is that of the terminal: of a source line too long for it, the part around the caret
    is shown.
    """
    alone = (Problem(error.message, error.hint, error.where),)
    problems: Sequence[Problem] = getattr(error, "problems", ()) or alone
    if len(problems) == 1:
        yield from _problem(problems[0], width, ("error: ", "bold red"))
        return
    files = {book_of(problem.where.file) for problem in problems if problem.where}
    place = f" in {near_path(files.pop())}" if len(files) == 1 else ""
    yield ((f"error: {count(len(problems), 'problem')}{place}", "bold red"),)
    for problem in problems:
        yield _BLANK
        yield from _problem(problem, width)


def _problem(problem: Problem, width: int | None, *label: Piece) -> Iterator[Line]:
    place = f"{near_place(problem.where.file, problem.where.line)}: " if problem.where else ""
    head, *more = clean(problem.message).splitlines() or [""]
    yield (*label, (place, "cyan"), (head, "bold"))
    yield from (((f"  {line}", "bold"),) for line in more)
    if problem.where is not None:
        yield from _source(problem.where, width)
    yield from _indented(problem.hint)


def _indented(text: str) -> Iterator[Line]:
    """Text set in by two columns."""
    return ((f"  {line}",) for line in clean(text).splitlines())


def _source(where: Where, width: int | None, indent: str = "") -> Iterator[Line]:
    """The source line of a place and the caret below it, or nothing without source."""
    rendered = clean(where.render()).splitlines()
    if len(rendered) != 2:
        return
    if width is not None:
        rendered = _around_caret(rendered[0], rendered[1], width - 2 - len(indent))
    gutter, bar, caret = rendered[1].partition("|")
    yield (indent + rendered[0],)
    yield (indent + gutter + bar, (caret, "bold red"))


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


def exception_lines(
    error: BaseException, title: str, width: int | None = None, hint: str = ""
) -> Iterator[Line]:
    """An exception of the user's script: `title`, the user's frames, the exception, the hint."""
    yield ("error: ", "bold red"), (title, "bold")
    yield _BLANK
    yield from _chain(error, width)
    yield from _indented(hint)


def _chain(error: BaseException, width: int | None) -> Iterator[Line]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        yield from _chain(cause, width)
        yield from (_BLANK, ("  while handling that:",), _BLANK)
    frames, library = user_frames(error)
    yield from _frame_lines(frames, width)
    if library:
        yield from _raised_in(library)
    yield from _exception(error)


def _exception(error: BaseException) -> Iterator[Line]:
    kind = type(error)
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    yield from _message(short_name(f"{kind.__module__}.{kind.__qualname__}"), message)
    for note in getattr(error, "__notes__", ()):
        yield from _indented(str(note))
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("kalelite."):
        yield ("  All names are in kalelite itself: from kalelite import step, pipeline",)
    elif isinstance(error, ModuleNotFoundError):
        yield (f"  This Python has no such module: {sys.executable}",)


def _message(name: str, message: str) -> Iterator[Line]:
    text = [line[:2000] for line in clean(message).splitlines()]
    left_out = len(text) - _LONGEST_MESSAGE
    if left_out > 0:
        text = [*text[:_LONGEST_MESSAGE], f"… {count(left_out, 'more line')}"]
    first = f": {text[0]}" if text else ""
    yield "  ", (name, "bold red"), first
    yield from ((f"  {line}",) for line in text[1:])


def user_frames(error: BaseException) -> tuple[list[Frame], str]:
    """The user's frames of an exception, outermost first, and the library place that raised it.

    Frames of kalelite and of the import machinery are left out; so are those of installed
    libraries, of which only the innermost is shown, unless there is nothing else.
    """
    frames: list[Frame] = []
    libraries: list[Frame] = []
    last = ""
    for summary in traceback.TracebackException.from_exception(error).stack:
        if summary.filename.startswith((_PACKAGE, "<frozen ")):
            continue
        frame = _frame(summary)
        library = is_library(summary.filename)
        (libraries if library else frames).append(frame)
        last = _place(frame) if library else ""
    if not frames:
        return libraries, ""
    return frames, last


def _place(frame: Frame) -> str:
    return f"{near_place(frame.file, frame.line)} in {frame.function}"


def _raised_in(place: str) -> Iterator[Line]:
    yield ((f"  raised in {place}", "dim"),)


def is_ours(error: BaseException) -> bool:
    """Whether kalelite itself is to blame: its own code is the last before the libraries'.

    Where it only passes on a call of the user's, which the frame says as for pytest, it is not.
    """
    trace, last = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        hidden = "__tracebackhide__" in trace.tb_frame.f_code.co_varnames
        if not hidden and not file.startswith("<frozen ") and not is_library(file):
            last = file
        trace = trace.tb_next
    return last.startswith(_PACKAGE)


def _frame(summary: traceback.FrameSummary) -> Frame:
    number = summary.lineno or 0
    text = linecache.getline(summary.filename, number).rstrip("\r\n")
    start, end = getattr(summary, "colno", None), getattr(summary, "end_colno", None)
    if getattr(summary, "end_lineno", number) != number:
        end = None
    start, end = (
        None if column is None else characters_before(text, column) for column in (start, end)
    )
    return Frame(summary.filename, number, summary.name, text, start, end)


def _frame_lines(frames: Sequence[Frame], width: int | None) -> Iterator[Line]:
    """Frames with their source lines; a long recursion is shown by its two ends."""
    shown: Sequence[Frame | int] = frames
    if len(frames) > 12:
        shown = [*frames[:4], len(frames) - 10, *frames[-6:]]
    for frame in shown:
        if isinstance(frame, int):
            yield (f"  … {count(frame, 'frame')} more",)
            continue
        function = "" if frame.function == "<module>" else f" in {frame.function}"
        yield "  ", (near_place(frame.file, frame.line), "cyan"), function
        where = Where(frame.file, frame.line, frame.column, frame.end_column, frame.text)
        yield from _source(where, width, "  ")


def call_lines(where: Where, width: int | None = None) -> Iterator[Line]:
    """Where a step is called, for a failure that is in no line of the user's code."""
    yield "  ", (near_place(where.file, where.line), "cyan"), " calls it"
    yield from _source(where, width, "  ")


def failure_lines(failure: FailureReport, width: int | None = None) -> Iterator[Line]:
    """Why a step failed: causes first, then the user's frames, the exception and the hint."""
    if failure.cause is not None:
        several = "BaseExceptionGroup" in failure.bases
        link = "and others, which are raised together:" if several else "while handling that:"
        yield from failure_lines(failure.cause, width)
        yield from (_BLANK, (f"  {link}",), _BLANK)
    frames = [frame for frame in failure.frames if not is_library(frame.file)]
    yield from _frame_lines(frames or failure.frames, width)
    if frames and frames[-1] is not failure.frames[-1]:
        yield from _raised_in(_place(failure.frames[-1]))
    yield from _message(short_name(failure.type), failure.message)
    yield from _indented(failure.hint)


def internal_lines(error: BaseException, *, full: bool) -> Iterator[Line]:
    """A fault in kalelite itself, and how to report it."""
    what = traceback.format_exception_only(error)[-1].strip()
    yield ("internal error: ", "bold red"), clean(what)
    if full:
        yield _BLANK
        yield ("".join(traceback.format_exception(error)).rstrip(),)
        return
    inner = traceback.extract_tb(error.__traceback__)
    if inner:
        yield (f"  {inner[-1].filename}:{inner[-1].lineno} in {inner[-1].name}",)
    yield ("  This is a fault in kalelite, not in your script. Please report it, with what",)
    yield ("  the same command prints when the environment has KALELITE_DEBUG=1.",)
