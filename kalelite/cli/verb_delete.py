"""``kalelite delete RUN…``: remove runs, and the values that no other run refers to."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.cli.verb_runs import add_choice, choice_of
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.runs.deleting import Deletion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runs, or which of all."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help="ids or names, or last")
    choice = parser.add_argument_group(
        "of all runs, those for which all of this holds, but none that has a name"
    )
    choice.add_argument(
        "--older-than", metavar="TIME", help="have ended so long ago, as 12h or 30d"
    )
    choice.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="are not among the newest N of their pipeline in these states and with these tags",
    )
    add_choice(choice)
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would go, and what that would free"
    )
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Delete them, and free what nothing refers to any more.

    A run on Kubeflow Pipelines goes here; what it has on the cluster stays.
    """
    from kalelite.home_folder import home
    from kalelite.humanize import size
    from kalelite.runs.deleting import delete, would_free

    found, dry = _deletion(command), command.options.dry_run
    base = home(command.home)
    freed = (would_free if dry else delete)(base, found.gone)
    word = "would be deleted" if dry else "deleted"
    if command.as_json:
        for run in found.gone:
            command.write_json({"run": run.id, "event": word})
        for run, why in found.kept:
            command.write_json({"run": run.id, "event": "kept", "reason": why})
        command.write_json({"event": "freed", "size": freed.size, "dry_run": dry})
        return ExitCode.OK
    rows = [(run.id, run.pipeline, run.state, word) for run in found.gone]
    rows += [(run.id, run.pipeline, run.state, f"kept: {why}") for run, why in found.kept]
    command.out.table(rows)
    if not found.gone:
        command.out.line("no run to delete")
        return ExitCode.OK
    command.out.line(f"{'this would free' if dry else 'freed'} {size(freed.size)}")
    return ExitCode.OK


def _deletion(command: Command) -> Deletion:
    from kalelite.plan.options.duration import seconds
    from kalelite.runs.deleting import chosen, given
    from kalelite.runs.pipeline_run import Run, list_runs

    options = command.options
    choice = choice_of(options)
    asked = options.older_than is not None or options.keep is not None or not choice.is_empty
    if options.runs and asked:
        raise UsageError(
            "runs were given, and which of all runs to delete, too", hint="Leave one of them out."
        )
    if not options.runs and not asked:
        raise UsageError(
            "which runs?", hint="Give ids, or --older-than, --keep, --state or --tag; see --help."
        )
    if options.keep is not None and options.keep < 0:
        raise UsageError(f"--keep {options.keep} is no number of runs")
    runs = list_runs(folder=command.home)
    if options.runs:
        return given(runs, [Run.open(name, folder=command.home) for name in options.runs])
    age = None if options.older_than is None else seconds(options.older_than, name="--older-than")
    return chosen(runs, choice, age=age, keep=options.keep or 0, now=time.time())
