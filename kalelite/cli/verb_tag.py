"""``kalelite tag RUN``: name a run, and note something about it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and what is said of it."""
    parser.add_argument("run", metavar="RUN", help="a run's id or name, or last")
    parser.add_argument(
        "tags", metavar="KEY=VALUE", nargs="*", help="a tag; one without a value is removed: KEY="
    )
    parser.add_argument(
        "--name",
        help="what it is called from now on, wherever a run is asked for; '' takes the name away. "
        "kalelite delete takes a run with a name only if that run is given itself.",
    )
    parser.add_argument("--note", metavar="TEXT", help="a note; '' takes it away")
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Change what was given, and show what holds now."""
    from kalelite.cli.run_tagging import tags_given
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.run_tags import checked_name

    options = command.options
    run = Run.open(options.run, folder=command.home)
    now = run.tags
    given = tags_given(options.tags)
    if options.name is not None:
        now = replace(now, name=options.name and checked_name(options.name))
    if options.note is not None:
        now = replace(now, note=options.note)
    tags = {key: value for key, value in {**now.tags, **given}.items() if value}
    now = replace(now, tags=tags)
    if now != run.tags:
        now.write(run.folder)
    if command.as_json:
        command.write_json({"run": run.id, **now.as_json()})
        return ExitCode.OK
    command.out.table([("run", run.id), *now.rows()])
    return ExitCode.OK
