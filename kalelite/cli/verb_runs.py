"""``kalelite runs``: the newest runs, newest first."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many runs."""
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="the newest N (default: 20)"
    )
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Print a line for each run."""
    from kalelite.cli.run_progress import status_of
    from kalelite.cli.screen import one_line
    from kalelite.home_folder import home
    from kalelite.humanize import duration, near_path
    from kalelite.runs.reading import list_runs

    limit, out = command.options.limit, command.out
    if limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", hint="Give a number from 1.")
    found = list_runs(folder=command.home, limit=limit)
    if command.as_json:
        for run in found:
            command.write_json({**run.data, "run": run.id, "state": run.state})
        return ExitCode.OK
    if not found:
        out.line(f"no runs in {near_path(str(home(command.home) / 'runs'))}")
        return ExitCode.OK
    rows = [
        (
            run.id,
            one_line(run.pipeline, 40),
            (run.state, status_of(run.state).color),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.data["started"])),
            duration(run.seconds),
        )
        for run in found
    ]
    out.table(rows, ("run", "pipeline", "state", "started", "took"))
    return ExitCode.OK
