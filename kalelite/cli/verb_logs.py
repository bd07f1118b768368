"""``kalelite logs RUN [STEP]``: what the steps of a run printed."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

_TICK = 0.2
"""Seconds between two looks at a log that is followed."""

_TICK_AWAY = 3.0
"""The same for a run in a cluster."""

if TYPE_CHECKING:
    from kalelite.authoring.backends import Submission
    from kalelite.cli.command import Command
    from kalelite.display.screen import Screen
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.task_state import TaskState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, the step and the number of lines."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id, or last (the default)"
    )
    parser.add_argument("step", metavar="STEP", nargs="?", help="one step (default: all)")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines")
    parser.add_argument(
        "--follow", action="store_true", help="go on with what is printed, to the run's end"
    )
    for name in ("home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Print the logs.

    On a terminal control characters are left out; a pipe or file gets the bytes as they are.
    """
    from kalelite.runs.pipeline_run import Run

    step, lines, out = command.options.step, command.options.lines, command.out
    run = Run.open(command.options.run, folder=command.home)
    away: Submission | None = None
    is_here = not run.data["process"]["pid"]  # its pods write to its record themselves
    if "kfp" in run.data and run.state == "running" and (command.options.follow or not is_here):
        away = command.open_backend("kubeflow").attach(run.id)
        away.refresh(step)
    tasks = run.tasks
    chosen = [name for name in tasks if step in {None, name, name.partition("[")[0]}]
    if not chosen:
        import difflib

        close = difflib.get_close_matches(str(step), tasks, 1)
        raise UsageError(
            f"run {run.id} has no step {step!r}",
            hint=f"Did you mean {close[0]}?" if close else f"It has {', '.join(list(tasks)[:12])}.",
        )
    if lines is not None and lines < 1:
        raise UsageError(f"-n {lines} shows nothing", hint="Give a number from 1.")
    if command.options.follow:
        _follow(run, step, lines, out, away)
        return ExitCode.OK
    for name in chosen:
        text = _log(tasks[name], lines)
        if len(chosen) > 1:
            if not text:
                continue
            out.line((f"── {name}" if out.unicode else f"-- {name}", "bold"))
        _print(text, out)
    return ExitCode.OK


def _follow(
    run: Run, step: str | None, lines: int | None, out: Screen, away: Submission | None
) -> None:
    """Print what is in the logs, and what comes, until the run is over; it may run elsewhere."""
    shown: dict[str, int] = {}
    several = False
    while True:
        going_on = (away.refresh(step) if away is not None else run.state) == "running"
        for name, task in run.tasks.items():
            text = _log(task, None) if step in {None, name, name.partition("[")[0]} else b""
            new = text[shown.get(name, 0) :]
            if not going_on or new.endswith(b"\n"):
                shown[name] = len(text)
                recent = b"".join(new.splitlines(keepends=True)[-lines:]) if lines else new
                several = several or len(shown) > 1
                _print(_named(recent, name) if several else recent, out)
        if not going_on:
            return
        time.sleep(_TICK if away is None else _TICK_AWAY)
        run = type(run).open(run.id, folder=run.home)


def _named(text: bytes, name: str) -> bytes:
    return b"".join(f"{name} | ".encode() + line for line in text.splitlines(keepends=True))


def _log(task: TaskState, lines: int | None) -> bytes:
    if task.log is None:
        return b""
    try:
        text = task.log.read_bytes()
    except OSError:
        return b""
    if lines is None:
        return text
    return b"".join(text.splitlines(keepends=True)[-lines:])


def _print(text: bytes, out: Screen) -> None:
    from kalelite.humanize import clean

    if text and not text.endswith(b"\n"):
        text += b"\n"
    buffer = getattr(out.stream, "buffer", None)
    if out.is_tty or buffer is None:
        out.write(clean(text.decode("utf-8", "replace")))
        return
    out.stream.flush()
    with suppress(BrokenPipeError):
        buffer.write(text)
        buffer.flush()
