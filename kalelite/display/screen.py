"""Where text goes: a terminal, a file, or a pipe that may have lost its reader.

A line is made of pieces, as `rich.text.Text.assemble` takes them: texts, and pairs of a text and
its style. rich is imported where there is something to colour, to wrap or to align.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import IO, TYPE_CHECKING, Literal, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

Piece = str | tuple[str, str]
Line = Sequence[Piece]
Fit = Literal["wrap", "cut", "keep"]

_IN_ASCII = str.maketrans(
    {"│": "|", "✓": "+", "✗": "x", "·": "-", "→": "->", "…": "~", "▸": ">", "↻": "@", "⊘": "o"}
)
_INDENT = 2
"""Columns by which the rest of a wrapped line is set in."""


def in_ascii(text: str) -> str:
    """`text` with the symbols of the tables in ASCII."""
    return text.translate(_IN_ASCII)


def _breaks(text: str, width: int) -> list[int]:
    """Where a text is to be broken: between words, which stay whole, as paths have to."""
    from rich.cells import cell_len

    breaks: list[int] = []
    begin, room = 0, width
    for word in re.finditer(r"\S+", text):
        too_long = cell_len(text[begin : word.end()]) > room
        if "\n" in text[begin : word.start()]:
            begin = text.rindex("\n", begin, word.start()) + 1
        elif too_long and text[begin : word.start()].strip():
            begin, room = word.start(), width - _INDENT
            breaks.append(begin)
    return breaks


class Screen:
    """A text stream and what it can show; it is a file for rich, too.

    Parameters
    ----------
    stream
        Where the text goes.
    environ
        Read for ``NO_COLOR``, ``FORCE_COLOR``, ``TERM`` and, on a terminal, ``COLUMNS``.

    Attributes
    ----------
    gone
        Nobody reads any more; ``error`` is what prevented writing to a file or a pipe.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str] | None = None) -> None:
        self.stream = stream
        self.environ = os.environ if environ is None else environ
        self.gone = False
        self.error: OSError | None = None
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            self.is_tty = stream.isatty()
        except ValueError:  # closed
            self.is_tty = False
            self.gone = True
        dumb = self.environ.get("TERM") == "dumb"
        forced = bool(self.environ.get("FORCE_COLOR"))
        self.color = (forced or (self.is_tty and not dumb)) and not self.environ.get("NO_COLOR")
        self.can_redraw = self.is_tty and not dumb
        self.unicode = "utf" in self.encoding.lower()

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines may be of any length."""
        return max(self.console.width, 20) if self.is_tty else None

    @cached_property
    def console(self) -> Console:
        """The stream for rich."""
        from rich.console import Console

        return Console(
            file=cast("IO[str]", self),  # rich writes and flushes
            force_terminal=self.is_tty or self.color,
            color_system="standard" if self.color else None,
            width=None if self.is_tty else 100_000,
            highlight=False,
            emoji=False,
            markup=False,
            _environ=self.environ,
        )

    def write(self, text: str) -> None:
        """Write `text` in the characters that the stream can take.

        What prevents it is remembered in ``gone`` and ``error``, and never raised.
        """
        if self.gone:
            return
        text = text if self.unicode else in_ascii(text)
        try:
            self.stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            self.stream.flush()
        except (BrokenPipeError, ValueError):
            self.gone = True
        except OSError as error:
            self.gone = True
            self.error = None if self.is_tty else error

    def flush(self) -> None:
        """Nothing: everything was flushed when it was written."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.is_tty

    def fileno(self) -> int:
        """The number of the stream's file."""
        return self.stream.fileno()

    def line(self, *pieces: Piece, fit: Fit = "wrap") -> None:
        """Write a line. ``fit`` says what is done with one that is too long for the terminal."""
        text = "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces)
        width = self.width if fit != "keep" else None
        if not self.color and (width is None or 2 * len(text) <= width):  # characters may be wide
            self.write(text + "\n")
            return
        from rich.text import Text

        styled = Text.assemble(*pieces)
        if width is not None and fit == "cut":
            styled.truncate(width, overflow="ellipsis")
        breaks = _breaks(text, width) if width is not None and fit == "wrap" else []
        for number, row in enumerate(styled.divide(breaks)):
            row.rstrip()
            self.console.print(" " * _INDENT if number else "", row, sep="", soft_wrap=True)

    def lines(self, lines: Iterable[Line]) -> None:
        """Write several lines."""
        for pieces in lines:
            self.line(*pieces)

    def table(self, rows: Iterable[Line], head: Sequence[str] = (), indent: int = 0) -> None:
        """Write rows in columns; the last column is wrapped on a terminal."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        cells = [[Text.assemble(cell) for cell in row] for row in rows]
        if not cells:
            return
        table = Table(
            box=None,
            show_header=bool(head),
            header_style="dim",
            pad_edge=False,
            padding=(0, 2, 0, 0),
        )
        for position in range(len(cells[0])):
            last = position == len(cells[0]) - 1
            title = head[position] if head else ""
            table.add_column(title, no_wrap=not last, overflow="fold")
        for row in cells:
            table.add_row(*row)
        with self.console.capture() as captured:
            self.console.print(Padding(table, (0, 0, 0, indent)))
        self.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))
