"""Runs a script's pipeline, and kills this process at the given one of its writes: a program.

    killed_at.py NUMBER SCRIPT HOME [resume]

What counts as a write is every file of a run's folder that is opened for writing or renamed, and
every event: it is written before a listener hears of it. If there are fewer, their
number is printed, with the value and what was taken from an earlier run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from local_cache_script import Script

from kalelite.backends.local.local_settings import LocalSettings

last, path, home = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
writes = 0


def count() -> None:
    global writes
    writes += 1
    if writes == last:
        os.kill(os.getpid(), signal.SIGKILL)


def audit(event: str, args: tuple[object, ...]) -> None:
    opened = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if (opened or event == "os.rename") and f"{home}/runs/" in str(args[0]):
        count()


class Listener:
    def emit(self, event: object) -> None:
        count()


sys.addaudithook(audit)
settings = LocalSettings(resume="last" if "resume" in sys.argv else "")
seen = Script(path, home, path.read_text()).run(settings, Listener())
print(json.dumps({"writes": writes, "value": seen.value, "cached": seen.cached}))
