"""``kalelite cancel RUN``: end a run on Kubeflow Pipelines."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run: which one has to be said."""
    parser.add_argument("run", metavar="RUN", help="a run's id, or last")
    for name in ("home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Ask for the end of the run; its pods are stopped within some seconds."""
    run = command.open_backend("kubeflow").attach(command.options.run)
    if run.state == "running":
        run.cancel()
        command.out.line(f"run {run.id} is being cancelled: {run.url}")
    else:
        command.out.line(f"run {run.id} has ended already: {run.state}")
    return ExitCode.OK
