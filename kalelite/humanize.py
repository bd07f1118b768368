"""Durations, sizes, counts, times and paths as people read them."""

from __future__ import annotations

import os
import time

from kalelite.errors import place_text


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
