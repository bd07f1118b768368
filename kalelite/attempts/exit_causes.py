"""Why a process without a record has ended, as a person reads it. Pure."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from kalelite.executor.spec import FailureReport, Frame
from kalelite.frozen import frozen


@frozen
class Ending:
    """What is known about the end of a process.

    ``status`` is as `os.waitpid` gives it, ``peak`` its largest resident size in bytes. With ``oom``
    the kernel has killed processes for want of memory meanwhile. ``error`` is set where no process
    could be had, or where it was lost. ``stopped`` is why the run itself ended it ("timeout", "interrupt"); with ``forced`` it did not
    react to SIGTERM. ``timeout`` are the seconds that it had, ``limit`` the bytes that the step's
    memory option allows, 0 for no limit.
    """

    status: int = 0
    peak: int = 0
    oom: bool = False
    error: str = ""
    stopped: str = ""
    forced: bool = False
    timeout: float | None = None
    limit: int = 0


_SIGNALS = {
    "SIGABRT": (
        "compiled code gave up (abort): a failed assertion or damaged memory",
        "The log may hold a message of the library.",
    ),
    "SIGBUS": (
        "compiled code read a mapped file beyond its end, or the disk or /dev/shm is full",
        (
            "If it was reading an input: its file in the store was cut while the step ran. Check the "
            "disk, and who writes to the store; the step that made it has to run again (--no-cache)."
        ),
    ),
    "SIGFPE": ("compiled code divided by zero", ""),
    "SIGILL": (
        "compiled code was built for another processor",
        "Install a build of the library for this machine.",
    ),
    "SIGSEGV": (
        "compiled code used memory that is not its own, or the stack overflowed",
        "",
    ),
    "SIGTERM": ("something outside this run asked it to end", ""),
    "SIGXCPU": ("it used up the processor time that this system allows", ""),
    "SIGXFSZ": ("it wrote a file larger than this system allows", ""),
}


def explain(ending: Ending, frames: tuple[Frame, ...] = ()) -> FailureReport:
    """The failure of a task whose process left no record; ``frames`` are where it crashed."""
    if ending.stopped or ending.error:
        return _stopped(ending)
    if os.WIFSIGNALED(ending.status):
        return replace(_signalled(ending), frames=frames)
    code = os.waitstatus_to_exitcode(ending.status)
    hint = "os._exit, or a library that calls exit, ends a process without a result."
    return FailureReport(
        "ProcessEnded",
        f"its process ended by itself with exit code {code} before the function returned",
        hint=f"{hint} {_limited(ending)}".strip(),
    )


def refine(failure: FailureReport, ending: Ending) -> FailureReport:
    """A failure that the step itself recorded, with what only the driver knows."""
    if ending.stopped:
        return _stopped(ending)
    if ending.limit and "MemoryError" in (failure.type, *failure.bases):
        hint = f"its memory option allows {_size(ending.limit)} more than an idle process"
        return replace(failure, hint=f"{failure.hint}; {hint}" if failure.hint else hint)
    return failure


def _stopped(ending: Ending) -> FailureReport:
    stubborn = "; it did not react to SIGTERM and was killed" if ending.forced else ""
    if ending.stopped == "timeout":
        message = f"it took longer than its timeout of {ending.timeout or 0:g} s{stubborn}"
        return FailureReport("TimeoutError", message)
    if ending.stopped:
        return FailureReport("Interrupted", f"the run was interrupted{stubborn}")
    return FailureReport("ProcessLost", ending.error)


def _signalled(ending: Ending) -> FailureReport:
    number = os.WTERMSIG(ending.status)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if name == "SIGKILL":
        return _killed(ending)
    meaning, hint = _SIGNALS.get(name, ("", ""))
    if name in ("SIGABRT", "SIGSEGV"):
        hint = f"{hint} {_limited(ending)}".strip()
    message = f"its process was ended by {name}" + (f": {meaning}" if meaning else "")
    return FailureReport("ProcessKilled", message, hint=hint)


def _limited(ending: Ending) -> str:
    """A sentence on the memory option: compiled code that cannot have more ends in many ways."""
    if not ending.limit:
        return ""
    return f"Its memory option allows {_size(ending.limit)}; code that cannot have more may end so."


def _killed(ending: Ending) -> FailureReport:
    held = f"; it held {_size(ending.peak)} at most" if ending.peak else ""
    hint = "Give it less to hold, fewer steps at once (--jobs), or a machine with more memory."
    if ending.oom:
        message = f"the system killed it because memory ran out{held}"
        return FailureReport("MemoryError", message, hint=hint)
    message = f"its process was killed (SIGKILL), by a person or for want of memory{held}"
    return FailureReport("ProcessKilled", message, hint=hint)


def _size(count: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
