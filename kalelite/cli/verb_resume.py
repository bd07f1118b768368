"""``kalelite resume [RUN]``: go on with a run that failed, was stopped or was killed."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.cli.command_run import run_pipelines
from kalelite.cli.parser import add_setting, parse
from kalelite.cli.verb_run import add_refresh, extra_settings
from kalelite.errors import UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.runs.pipeline_run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and how it goes on."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id, or last (the default)"
    )
    add_refresh(parser)
    parser.add_argument(
        "--debug",
        action="store_true",
        help="run what is left in this process, so that breakpoint() works",
    )
    parser.add_argument(
        "--explain", action="store_true", help="say at the end why each step ran or was taken"
    )
    parser.add_argument(
        "--follow", action="store_true", help="show what all steps print, with their names"
    )
    add_setting(parser, "jobs")
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Run the script again as it was run; what is finished and unchanged is taken.

    It lists first what is kept, and what runs again and why.
    """
    from kalelite.cli.command import settings_of
    from kalelite.cli.siblings import Siblings
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.run_again import again

    given = command.options
    run = Run.open(given.run, folder=command.home)
    words = again(_words(run))
    folder = run.data["start"]["folder"]
    try:
        os.chdir(folder)
    except OSError as error:
        raise UsageError(f"run {run.id} was started in {folder}: {error.strerror}") from error
    request = parse(words)
    options = request.options
    options.debug, options.explain = given.debug or options.debug, given.explain
    options.follow = given.follow or options.follow
    options.refresh = given.refresh
    if options.start_after and "given_by" in run.data:  # "last" is another one by now
        options.start_after = f"{run.data['given_by']}:{options.start_after.rpartition(':')[2]}"
    given.home = str(run.home)
    settings = settings_of(given, options) | {"output": command.settings["output"]}
    settings["home"] = replace(settings["home"], origin=command.settings["home"].origin)
    repeated = replace(
        command,
        options=options,
        settings=settings,
        words=words,
        script_args=request.script_args,
        folder=folder,
    )
    name = options.backend or "local"
    if options.debug and name != "local":
        raise UsageError(f"--debug is about running here, and run {run.id} ran on {name}")
    return run_pipelines(repeated, name, extra_settings(options), Siblings(run))


def _words(run: Run) -> list[str]:
    """The command line that runs the script again."""
    start = run.data.get("start")
    if start is None or not (start["words"] or start["script"]):
        raise UsageError(
            f"run {run.id} was not started by a script",
            hint=f"Where its pipeline is defined: kalelite.runs.Run.open({run.id!r}).resume()",
        )
    if start["words"]:
        return start["words"]
    script = ["-m", start["module"]] if start["module"] else [start["script"]]
    return [*script, "--", *start["arguments"]]
