"""A sweep from its first trial to its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.atomic import write_atomically
from kalelite.cli.sweep_run import SweepRun
from kalelite.display.sweep_view import (
    SweepJson,
    SweepLines,
    SweepTable,
    SweepView,
    print_sweep,
)
from kalelite.humanize import near_path
from kalelite.sweep.sweep_page import sweep_page

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.sweep.search import Search
    from kalelite.sweep.sweep_record import Sweep, SweepFolder


def run_and_show(
    command: Command, sweep: Sweep, folder: SweepFolder, search: Search, base: Path
) -> int:
    """Run the trials, show them, and sum up; the exit code."""
    out = command.out
    view = _view_for(command)
    run = SweepRun(sweep, folder, search, base, view)
    try:
        code = run.run()
    finally:
        view.close()
        page = folder.path / "sweep.html"
        write_atomically(page, sweep_page(run.sweep).encode())
    if command.as_json:
        best = run.sweep.best()
        command.write_json(
            {
                "event": "sweep_finished",
                "sweep": run.sweep.id,
                "best": best.number if best else None,
                "page": str(page),
            }
        )
        return code
    again = f"kalelite sweep --resume {run.sweep.id}"
    print_sweep(run.sweep, out, page=near_path(str(page)), again=again)
    for line in run.complaint.splitlines():
        command.err.line(line)
    return code


def _view_for(command: Command) -> SweepView:
    """What suits the output."""
    if command.as_json:
        return SweepJson(command.write_json)
    table = command.settings["output"].value == "auto" and command.out.can_redraw
    return SweepTable(command.out) if table else SweepLines(command.out)
