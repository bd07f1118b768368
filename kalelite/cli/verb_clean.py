"""``kalelite clean --store``: free the values that no run refers to."""

from __future__ import annotations

import argparse
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
    from kalelite.home_folder import home
    from kalelite.humanize import count, near_path, size
    from kalelite.plan.options.duration import seconds
    from kalelite.runs.freeing import free

    older_than = seconds(options.older_than, name="--older-than")
    base = home(command.home)
    if not (base / "store").is_dir():
        out.line(f"there is no store in {near_path(str(base))}")
        return ExitCode.OK
    freed = free(base, older_than=older_than)
    kept = count(freed.kept, "value")
    out.line(f"freed {size(freed.size)} in {count(freed.files, 'file')}; {kept} of runs kept")
    return ExitCode.OK
