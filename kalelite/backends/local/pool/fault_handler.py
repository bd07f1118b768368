"""What Python's fault handler has written about a crash: the user's frames, and a shorter log.

The fault handler runs in the dying process and can write nothing but plain lines, innermost
frame first, those of kalelite among them. The log is read once the process has gone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from kalelite.executor import failure
from kalelite.executor.spec import Frame

__all__ = ["frames_of", "shortened", "take"]

_LONGEST = 64 * 1024
_CRASH = re.compile(
    rb"(?P<head>^Fatal Python error: .*\n(?:.*\n)*?)"
    rb"(?P<title>^(?:Current thread|Thread|Stack) .*\(most recent call first\):\n)"
    rb"(?P<frames>(?:^  .*\n)+)"
    rb"(?P<tail>\n*(?:^Extension modules: .*\n?)?)",
    re.MULTILINE,
)
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
_RUNNER = f"{os.sep}kalelite{os.sep}executor{os.sep}execute.py"


def frames_of(text: bytes) -> tuple[Frame, ...]:
    """The user's frames of the last crash in a log, outermost first; none if there was no crash."""
    crashes = list(_CRASH.finditer(text))
    return failure.for_user(_frames(crashes[-1]["frames"])) if crashes else ()


def shortened(text: bytes) -> bytes:
    """The log without the frames of kalelite and the list of compiled modules."""
    return _CRASH.sub(lambda crash: crash["head"] + crash["title"] + _ours_cut(crash), text)


def take(log: Path) -> tuple[Frame, ...]:
    """The frames of the crash at the end of a log file, which is shortened in place."""
    try:
        with log.open("r+b") as file:
            start = max(file.seek(0, os.SEEK_END) - _LONGEST, 0)
            file.seek(start)
            text = file.read()
            frames = frames_of(text)
            if frames:
                file.seek(start)
                file.write(shortened(text))
                file.truncate()
    except OSError:
        return ()
    return frames


def _theirs(lines: Sequence[str]) -> list[str]:
    """The lines down to the executor, which called the step."""
    return list(takewhile(lambda line: _RUNNER not in line, lines))


def _ours_cut(crash: re.Match[bytes]) -> bytes:
    lines = crash["frames"].decode("utf-8", "surrogateescape").splitlines(keepends=True)
    return "".join(_theirs(lines)).encode("utf-8", "surrogateescape")


def _frames(block: bytes) -> list[Frame]:
    lines = _theirs(block.decode("utf-8", "backslashreplace").splitlines())
    found = [match for line in reversed(lines) if (match := _FRAME.fullmatch(line))]
    return [
        failure.frame_at(match["file"], int(match["line"]), match["function"]) for match in found
    ]
