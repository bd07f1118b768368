"""``kalelite ui``: the runs as pages that renew themselves, for the browser of this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The port."""
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="default: one that is free"
    )
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Serve the pages until Ctrl-C."""
    from kalelite.home_folder import home
    from kalelite.humanize import near_path
    from kalelite.runs.report.pages_server import PagesServer

    folder, out = home(command.home), command.out
    with PagesServer(folder, command.options.port) as server:
        out.line(
            f"The runs of {near_path(str(folder))}, for this machine and whoever has the token:"
        )
        out.line(f"  {server.url}", fit="keep")
        out.line("Ctrl-C ends it.")
        out.flush()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            out.line()
    return ExitCode.OK
