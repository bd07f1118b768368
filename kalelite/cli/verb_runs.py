"""``kalelite runs``: the newest runs, newest first."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.display.screen import Line
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.run_filter import RunFilter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many runs."""
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="the newest N (default: 20)"
    )
    add_choice(parser)
    add_setting(parser, "output")
    add_setting(parser, "home")


def add_choice(parser: argparse._ActionsContainer) -> None:
    """Which of all runs."""
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=("running", "succeeded", "failed", "interrupted", "cancelled", "crashed"),
        help="in this state; may be repeated",
    )
    parser.add_argument(
        "--tag",
        metavar="KEY[=VALUE]",
        action="append",
        default=[],
        help="with this tag; may be repeated",
    )


def choice_of(options: argparse.Namespace) -> RunFilter:
    """The runs that were asked for."""
    from kalelite.runs.run_filter import RunFilter

    words = (word.partition("=") for word in options.tag)
    tags = {key: value if equals else None for key, equals, value in words}
    return RunFilter(tuple(options.state), tags)


def perform(command: Command) -> int:
    """Print a line for each run."""
    from kalelite.home_folder import home
    from kalelite.humanize import near_path
    from kalelite.runs.pipeline_run import list_runs

    limit, out = command.options.limit, command.out
    if limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", hint="Give a number from 1.")
    wanted = choice_of(command.options)
    some = limit if wanted.is_empty else None
    found = [run for run in list_runs(folder=command.home, limit=some) if wanted.holds_for(run)]
    found = found[:limit]
    if command.as_json:
        for run in found:
            command.write_json(
                {**run.data, "run": run.id, "state": run.state, **run.tags.as_json()}
            )
        return ExitCode.OK
    if not found:
        which = "runs" if wanted.is_empty else "such runs"
        out.line(f"no {which} in {near_path(str(home(command.home) / 'runs'))}")
        return ExitCode.OK
    out.table([row(run) for run in found], ("run", "pipeline", "state", "started", "took", ""))
    return ExitCode.OK


def row(run: Run) -> Line:
    """A run in a line."""
    from kalelite.display.run_progress import status_of
    from kalelite.humanize import duration, one_line

    tags = run.tags
    words = (tags.name, *(f"{key}={value}" for key, value in tags.tags.items()), tags.note)
    return (
        run.id,
        one_line(run.pipeline, 40),
        (run.state, status_of(run.state).color),
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.data["started"])),
        duration(run.seconds),
        one_line(" ".join(word for word in words if word), 60),
    )
