"""Where text goes: a stream that may be a terminal, a file, or a pipe that nobody reads any more."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

__all__ = ["Terminal", "ascii_symbols", "clean", "clip"]

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_SYMBOLS = {
    "│": "|",
    "✓": "+",
    "✗": "x",
    "·": "-",
    "→": "->",
    "…": "...",
    "▸": ">",
    "↻": "~",
    "⊘": "o",
}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """`text` without escape sequences and control characters.

    What a step printed or raised is shown to a person; it must not move their cursor or set
    their window's title. A progress bar that rewrote its line is shown as it last looked.
    """
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in _ESCAPES.sub("", text).split("\n"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))


def ascii_symbols(text: str) -> str:
    """`text` with the symbols of the tables in ASCII."""
    for symbol, ascii in _SYMBOLS.items():
        text = text.replace(symbol, ascii)
    return text


def clip(text: str, width: int) -> str:
    """`text` on one line of at most `width` columns, cut with an ellipsis."""
    line = " ".join(clean(text).split())
    if len(line) <= width and line.isascii():
        return line
    used = 0
    kept: list[str] = []
    for char in line:
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > width:
            return "".join(kept[: max(len(kept) - 1, 0)]) + "…"
        kept.append(char)
    return line


class Terminal:
    """A text stream and what it can show.

    Parameters
    ----------
    stream
        Where the text goes.
    environ
        Read for ``NO_COLOR``, ``FORCE_COLOR``, ``TERM`` and ``COLUMNS``.
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
    def width(self) -> int:
        """Columns: those of the terminal, 100 elsewhere; ``COLUMNS`` overrides both."""
        said = self.environ.get("COLUMNS", "")
        columns = int(said) if said.isdigit() else 0
        if not columns and self.is_tty:
            with suppress(OSError, ValueError):
                columns = os.get_terminal_size(self.stream.fileno()).columns
        return max(columns or 100, 20)

    def paint(self, text: str, *styles: str) -> str:
        """`text` in bold, a colour, or as it is where colours are not wanted."""
        if not self.color or not text:
            return text
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def plain(self, text: str) -> str:
        """`text` in characters that the stream can take."""
        if not self.unicode:
            text = ascii_symbols(text)
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def write(self, text: str) -> None:
        """Write `text`. What prevents it is remembered: ``error``, but for a reader that has left."""
        if self.gone:
            return
        try:
            self.stream.write(self.plain(text))
            self.stream.flush()
        except (BrokenPipeError, ValueError):
            self.gone = True
        except OSError as error:
            self.gone, self.error = True, error

    def line(self, text: str = "") -> None:
        """Write `text` and a line break."""
        self.write(text + "\n")
