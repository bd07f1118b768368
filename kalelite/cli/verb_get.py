"""``kalelite get RUN [OUTPUT]``: what a run gave, shown, brought here, or written to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.runs.pipeline_run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run and its outputs."""
    parser.add_argument("run", metavar="RUN", help="a run's id, or last")
    parser.add_argument("outputs", metavar="OUTPUT", nargs="*", help="such as train.model")
    parser.add_argument(
        "-o",
        "--to",
        dest="target",
        metavar="FILE",
        help="write the value, in the format of the suffix: .csv, .parquet, .json, .npy, .joblib, .png, "
        ".txt, .pkl, ... as its library can; a file or folder as it was; into a folder under its own "
        "name. The value is read as kalelite.load does.",
    )
    parser.add_argument("-f", "--force", action="store_true", help="with -o: over what is there")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="from Kubeflow Pipelines: bring records and values by a pod that mounts the run's volume",
    )
    for name in ("output", "home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Show the outputs as their records do, when no value is unpickled, or write them."""
    from kalelite.display.summary import preview
    from kalelite.runs.pipeline_run import Run

    names, fetch = command.options.outputs, command.options.fetch
    if command.options.force and not command.options.target:
        raise UsageError("-f goes with -o: it is about the file that is written")
    if fetch:
        command.open_backend("kubeflow").attach(command.options.run).fetch(names)
    run = Run.open(command.options.run, folder=command.home)
    outputs = run.outputs()
    all_of_it = list(outputs)
    if command.options.target:
        _write(command, run, [each for name in names for each in _values(run, name)] or all_of_it)
        return ExitCode.OK
    chosen = [each for name in names for each in run.output_names(name)] or all_of_it
    if command.as_json:
        for name in chosen:
            command.write_json({"output": name, **outputs[name]})
        return ExitCode.OK
    command.out.table([(name, preview(outputs[name])) for name in chosen])
    if fetch and names:
        command.out.line(f"kalelite.load({run.id!r}, {names[0]!r}) reads it.")
    return ExitCode.OK


def _values(run: Run, name: str) -> list[str]:
    """The values that a name stands for: all of a step, all files of a loop, one list of its values."""
    outputs, keys = run.outputs(), run.output_names(name)
    apart = keys[0].rpartition(".")[0] == name or outputs[keys[0]]["type"].endswith("Path")
    return keys if apart and keys[1:] else [name]


def _write(command: Command, run: Run, names: list[str]) -> None:
    """Write outputs to a file, or to a folder that is there or whose name ends in a slash."""
    from kalelite.humanize import near_path, size
    from kalelite.runs.value_files import refuse_existing, write_in, write_value

    text, force = command.options.target, command.options.force
    target = Path(text)
    into = text.endswith("/") or target.is_dir()
    if not into:
        if len(names) != 1:
            raise UsageError(
                f"{len(names)} outputs do not go into the one file {text}",
                hint=f"Name one of {', '.join(names[:8])}, or a folder: -o {text}/"
                if names
                else "The run has left nothing.",
            )
        refuse_existing(target, overwrite=force)
    taken: set[Path] = set()
    for name in names:
        value = run.load(name)
        if into:
            place = write_in(target, value, name=name, taken=taken, overwrite=force)
        else:
            place = target
            write_value(value, place, name=name, overwrite=force)
        taken.add(place)
        octets = place.stat().st_size if place.is_file() else None
        if command.as_json:
            command.write_json({"output": name, "file": str(place), "size": octets})
        else:
            shown = f"wrote {near_path(str(place))}"
            command.out.line(shown if octets is None else f"{shown}, {size(octets)}", fit="keep")
