"""What Python's fault handler has written about a crash: the user's frames, and a shorter log.

The fault handler runs in the dying process and can write nothing but plain lines, innermost
frame first, those of kalelite among them. The log is read once the process has gone.
"""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path

from kalelite.executor import failure
from kalelite.executor.spec import Frame

_LONGEST = 64 * 1024
_CRASH = (
    rb"(?m)(?P<head>^Fatal Python error: .*\n(?:.*\n)*?)"
    rb"(?P<title>^(?:Current thread|Thread|Stack) .*\(most recent call first\):\n)"
    rb"(?P<frames>(?:^  .*\n)+)"
    rb"(?P<tail>\n*(?:^Extension modules: .*\n?)?)"
)
_FRAME = r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)'
_RUNNER = b"/kalelite/executor/execute.py"


def frames_of(text: bytes) -> tuple[Frame, ...]:
    """The user's frames of the last crash in a log, outermost first; none if there was no crash."""
    crashes = list(re.finditer(_CRASH, text))
    lines = _theirs(crashes[-1]) if crashes else []
    texts = [line.decode("utf-8", "backslashreplace") for line in reversed(lines)]
    found = [match for text in texts if (match := re.match(_FRAME, text))]
    return failure.for_user(
        [failure.frame_at(match["file"], int(match["line"]), match["function"]) for match in found]
    )


def shortened(text: bytes) -> bytes:
    """The log without the frames of kalelite and the list of compiled modules."""
    return re.sub(
        _CRASH, lambda crash: crash["head"] + crash["title"] + b"".join(_theirs(crash)), text
    )


def _theirs(crash: re.Match[bytes]) -> list[bytes]:
    """The lines down to the executor, which called the step."""
    lines = crash["frames"].splitlines(keepends=True)
    return list(takewhile(lambda line: _RUNNER not in line, lines))


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
