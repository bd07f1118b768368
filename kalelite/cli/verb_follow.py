"""``kalelite follow [RUN]``: a run on Kubeflow Pipelines, from where it is to its end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and how it is shown."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id, or last (the default)"
    )
    for name in ("output", "home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Follow the run; the exit code is that of a run that was waited for."""
    from kalelite.cli.run_view import RunView, reporter_for
    from kalelite.runs.run_again import words_after

    def again(folder: Path) -> list[str]:
        return [command.line(*words) for words in words_after(folder, ["resume", run.id])]

    run = command.open_backend("kubeflow").attach(command.options.run)
    output = command.settings["output"].value
    reporter = reporter_for(output, command.out, debug=False)
    view = RunView(reporter, command.out, command.err, again)
    view.watch_submitted(run)
    return view.status
