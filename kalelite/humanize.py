"""Durations, sizes, counts, times, paths and printed texts as people read them."""

from __future__ import annotations

import os
import re
import time

from kalelite.errors import place_text

_ESCAPES = r"(?s)\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)"
_CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"


def duration(seconds: float) -> str:
    """``0.42 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 05 min``."""
    seconds = max(seconds, 0.0)
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = whole // 60
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(octets: float) -> str:
    """``12 B``, ``3.4 kB``, ``1.2 GB``: powers of a thousand."""
    if octets < 1000:
        return f"{octets:.0f} B"
    for unit in ("kB", "MB", "GB"):
        octets /= 1000
        if octets < 999.5:
            return f"{octets:.3g} {unit}"
    return f"{octets / 1000:.3g} TB"


def count(number: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock(at: float) -> str:
    """The local time of day of a POSIX time."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """The local date and time of a POSIX time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def near_path(path: str) -> str:
    """`path` as seen from here if that is shorter, else as it is."""
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):  # another drive, or the current folder is gone
        return path
    return relative if len(relative) < len(path) and not relative.startswith("../..") else path


def near_place(file: str, line: int) -> str:
    """A line of a file or of a notebook's cell, as seen from here."""
    return place_text(near_path(file), line)


def short_name(type_name: str) -> str:
    """The name of an exception's type as a traceback shows it."""
    return type_name.removeprefix("builtins.").removeprefix("__main__.")


def error_line(type_name: str, message: str) -> str:
    """An exception in one line, as at the end of a traceback."""
    name = short_name(type_name)
    return f"{name}: {message}" if message else name


def clean(text: str) -> str:
    """`text` without escape sequences and control characters.

    What a step printed or raised is shown to a person; it must not move their cursor or set
    their window's title. A progress bar that rewrote its line is shown as it last looked.
    """
    lines = (
        line.rstrip("\r").rsplit("\r", 1)[-1] for line in re.sub(_ESCAPES, "", text).split("\n")
    )
    return re.sub(_CONTROLS, "\N{REPLACEMENT CHARACTER}", "\n".join(lines))


def one_line(text: str, longest: int = 1000) -> str:
    """`text` on one line of at most `longest` characters, cut with an ellipsis."""
    line = " ".join(clean(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
