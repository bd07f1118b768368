"""``kalelite compare RUN RUN…``: runs beside each other."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kalelite.cli.command import Command
    from kalelite.display.screen import Screen
    from kalelite.runs.comparison import Comparison, Row

_MOST_DIFF = 40
"""Lines of a diff on the terminal; the page has all."""
_STYLES = {"-": "red", "+": "green", "@": "cyan"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runs."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run's id, or last")
    parser.add_argument(
        "--html", metavar="FILE", help="write it as a page that needs nothing else; - is the output"
    )
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Print parameters, metrics and times in a column for each run, and what changed in the code."""
    from kalelite.runs.comparison import compare
    from kalelite.runs.pipeline_run import Run

    runs = [Run.open(name, folder=command.home) for name in command.options.runs]
    if len({run.id for run in runs}) < 2:
        raise UsageError("one run cannot be compared", hint="Give two runs, or more.")
    if command.options.html:
        from kalelite.cli.page_file import write_page

        write_page(runs, command.options.html, command.out)
        return ExitCode.OK
    found = compare(runs)
    if command.as_json:
        names = ("parameters", "metrics", "times", "packages", "code")
        data = {name: getattr(found, name) for name in names}
        command.write_json({"runs": [run.id for run in runs], **data})
        return ExitCode.OK
    _print(found, command.out)
    return ExitCode.OK


def _print(found: Comparison, out: Screen) -> None:
    from kalelite.display.run_progress import status_of
    from kalelite.humanize import duration, moment

    out.table(
        [
            (
                str(number),
                run.id,
                run.pipeline,
                (run.state, status_of(run.state).color),
                moment(run.data["started"]),
                duration(run.seconds),
            )
            for number, run in enumerate(found.runs, 1)
        ],
        ("run", "id", "pipeline", "state", "started", "took"),
    )
    for title in ("parameters", "metrics", "times", "packages"):
        _print_rows(title, getattr(found, title), out)
    out.line()
    if not found.code:
        out.line("The code is the same.")
    for change in found.code:
        out.line((f"{change.file}: run 1 and run {change.other + 1}", "bold"))
        for line in change.lines[:_MOST_DIFF]:
            out.line((f"  {line}", _STYLES.get(line[:1], "dim")), fit="cut")
        more = len(change.lines) - _MOST_DIFF
        if more > 0:
            out.line((f"  … and {more} more lines; --html shows all", "dim"))


def _print_rows(title: str, rows: Sequence[Row], out: Screen) -> None:
    from kalelite.humanize import one_line

    if not rows:
        return
    out.line()
    marking = title != "times"
    head = (title, *(f"run {number}" for number in range(1, len(rows[0].values) + 1)))
    out.table(
        [
            (
                one_line(row.name, 40),
                *(
                    (one_line(text, 40) or "-", "yellow" if marking and row.differs else "")
                    for text in row.values
                ),
            )
            for row in rows
        ],
        head,
    )
