"""``kalelite get RUN [OUTPUT]``: what a run gave, brought here from where it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run and its outputs."""
    parser.add_argument("run", metavar="RUN", help="a run's id, or last")
    parser.add_argument("outputs", metavar="OUTPUT", nargs="*", help="such as train.model")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="from Kubeflow Pipelines: bring records and values by a pod that mounts the run's volume",
    )
    for name in ("output", "home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Show the outputs as their records do; no value is unpickled."""
    from kalelite.cli.summary import preview
    from kalelite.runs.reading import Run

    names, fetch = command.options.outputs, command.options.fetch
    if fetch:
        command.open_backend("kubeflow").attach(command.options.run).fetch(names)
    run = Run.open(command.options.run, folder=command.home)
    outputs = run.outputs()
    chosen = [each for name in names for each in run.output_names(name)] if names else list(outputs)
    if command.as_json:
        for name in chosen:
            command.write_json({"output": name, **outputs[name]})
        return ExitCode.OK
    command.out.table([(name, preview(outputs[name])) for name in chosen])
    if fetch and names:
        command.out.line(f"kalelite.load({run.id!r}, {names[0]!r}) reads it.")
    return ExitCode.OK
