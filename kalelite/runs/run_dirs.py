"""Where runs are kept, what they are called, and whether their process still lives."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Any

from kalelite.home_folder import home

_ID = re.compile(r"\d{8}-\d{6}-\d{3}[0-9a-f]{4}")


def runs_folder(folder: str | Path | None = None) -> Path:
    """The folder that holds a folder for each run; ``folder`` is as for `home`."""
    return home(folder) / "runs"


def new_folder(base: Path, now: float) -> Path:
    """A folder whose name sorts after those of all earlier runs, also if the clock went back."""
    newest = next(reversed(run_names(base)), "")
    milliseconds = int(now * 1000)
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(milliseconds // 1000))
        name = f"{stamp}-{milliseconds % 1000:03d}"
        if name <= newest[: len(name)]:
            name = _after(newest[: len(name)])
        path = base / f"{name}{os.urandom(2).hex()}"
        try:
            path.mkdir()
        except FileExistsError:
            milliseconds += 1
            continue
        (path / "tasks").mkdir()
        return path


def _after(stamp: str) -> str:
    """The stamp one millisecond later."""
    import calendar  # here: it is rarely needed, and slow to import

    seconds = calendar.timegm(time.strptime(stamp[:15], "%Y%m%d-%H%M%S"))
    later = seconds * 1000 + int(stamp[16:]) + 1
    text = time.strftime("%Y%m%d-%H%M%S", time.gmtime(later // 1000))
    return f"{text}-{later % 1000:03d}"


def run_ids(base: Path) -> list[str]:
    """The ids of all runs that have begun, oldest first."""
    return [name for name in run_names(base) if (base / name / "run.json").is_file()]


def run_names(base: Path) -> list[str]:
    """The names of all folders of runs, in the order of time; one may have nothing in it yet."""
    with contextlib.suppress(OSError):
        return sorted(filter(_ID.fullmatch, os.listdir(base)))
    return []


def born(pid: int) -> str:
    """When a process started, as far as the system tells: pids are used again."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def is_alive(pid: int) -> bool:
    """True if there is a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def task_of(instance: str) -> str:
    """The task of an instance: ``train`` of ``train[3]``."""
    return instance.partition("[")[0]


def natural(name: str) -> list[Any]:
    """Sorts ``train[10]`` after ``train[9]``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
