"""What processes need that Python's os module does not offer; where a system lacks it, nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)
_PRCTL = getattr(_LIBC, "prctl", None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def flush_c() -> None:
    """Write out what compiled code has printed but not flushed."""
    with contextlib.suppress(Exception):
        _LIBC.fflush(None)


def children() -> set[int]:
    """The processes that this one is the parent of; empty where the system does not list them."""
    pid = os.getpid()
    try:
        # Read once for each task that has ended: no layers between this and the kernel.
        fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
    except OSError:
        return set()
    try:
        data = b""
        while chunk := os.read(fd, 65_536):
            data += chunk
    finally:
        os.close(fd)
    return set(map(int, data.split()))


def peak() -> int:
    """The largest resident size that this process has had, in bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def threads() -> int:
    """The number of threads of this process, those of compiled code included; at least 1."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return 1


def can_limit_memory() -> bool:
    """Whether this system holds a process to a bound on its memory."""
    return sys.platform == "linux"


def limit_memory(size: int) -> None:
    """Let this process have ``size`` more bytes of data than it has now.

    What is mapped from files and not written to does not count, so that large inputs, which are
    mapped, weigh nothing, as they do not in a pod. Allocations beyond the bound raise MemoryError.
    """
    if not can_limit_memory():
        return
    bound = _number("/proc/self/status", "VmData:") * 1024 + size
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started."""
    return _number("/proc/vmstat", "oom_kill ")


def _number(path: str, name: str) -> int:
    """What a file of the kernel's has behind a name; 0 where there is no such file or name."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return 0
    lines = (line for line in text.splitlines() if line.startswith(name))
    return next((int(line.removeprefix(name).split()[0]) for line in lines), 0)
