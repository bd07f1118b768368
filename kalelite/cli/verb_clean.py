"""``kalelite clean --store``: free the values that no run refers to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is freed, and how old it has to be."""
    parser.add_argument("--store", action="store_true", help="values that no run refers to")
    parser.add_argument(
        "--older-than",
        metavar="TIME",
        default="1h",
        help="leave what was stored later, as 30m or 2h (default: 1h); runs may still be going on",
    )
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Free the values.

    A cached result holds no value: it goes with the last run that refers to its values.
    """
    options, out = command.options, command.out
    if not options.store:
        raise UsageError(
            "clean needs to know what to free",
            hint="kalelite clean --store frees stored values.",
        )
    from kalelite.executor.result_cache import prune
    from kalelite.home_folder import home
    from kalelite.humanize import count, near_path, size
    from kalelite.marshal import Store
    from kalelite.plan.options.duration import seconds
    from kalelite.runs.reading import list_runs

    older_than = seconds(options.older_than, name="--older-than")
    base = home(command.home)
    if not (base / "store").is_dir():
        out.line(f"there is no store in {near_path(str(base))}")
        return ExitCode.OK
    begun = [path.parent for path in (base / "runs").glob("*/run.json")]
    runs = list_runs(folder=command.home)
    _refuse_unread(begun, {run.id for run in runs})
    keep = [str(entry["ref"]) for run in runs for entry in run.outputs().values() if "ref" in entry]
    prune(base / "cache", set(keep))
    store = Store(base / "store")
    freed = store.collect(keep, older_than=older_than)
    left = store.sweep(older_than=max(older_than, 86_400.0))
    out.line(
        f"freed {size(freed.size + left.size)} in {count(freed.count + left.count, 'file')};"
        f" {count(len(set(keep)), 'value')} of runs kept"
    )
    return ExitCode.OK


def _refuse_unread(begun: list[Path], read: set[str]) -> None:
    """Free nothing while a run cannot be read: nobody knows what it refers to."""
    from kalelite.humanize import near_path

    unread = [folder for folder in sorted(begun) if folder.name not in read]
    if unread:
        raise UsageError(
            f"the record of run {unread[0].name} cannot be read, so its values are not known",
            hint=f"Remove {near_path(str(unread[0]))} if the run is not needed any more.",
        )
