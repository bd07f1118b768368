"""``kalelite config``: every setting, its value, and where it came from."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode
from kalelite.settings import SETTINGS

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A script, beside which the settings file is searched."""
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="as this script sees them")
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Print the settings."""
    values = [
        dataclasses.replace(one, value="(not shown)")
        if one.value and SETTINGS[one.name].secret
        else one
        for one in command.settings.values()
    ]
    if command.as_json:
        for one in values:
            command.write_json({"setting": one.name, "value": one.value, "origin": one.origin})
        return ExitCode.OK
    rows = [
        (
            one.name,
            "-" if one.value is None else str(one.value),
            one.origin,
            SETTINGS[one.name].help,
        )
        for one in values
    ]
    command.out.table(rows, ("setting", "value", "from", "meaning"))
    return ExitCode.OK
