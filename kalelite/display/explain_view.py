"""Why the steps of a run ran or were taken, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalelite.display.line_reporter import named
from kalelite.display.run_progress import status_of
from kalelite.humanize import near_path

if TYPE_CHECKING:
    from pathlib import Path

    from kalelite.display.screen import Screen

_STYLES = {"-": "red", "+": "green", " ": "dim"}


def print_explanations(run: str, home: Path | None, out: Screen, step: str | None = None) -> None:
    """Print why each step of a run ran or was taken, or one of them."""
    from kalelite.runs.explain import Explainer
    from kalelite.runs.pipeline_run import Run

    found = Explainer(Run.open(run, folder=home)).explain(step)
    for each in found:
        status = status_of(each.status)
        out.line((f"{status.symbol} {named(each.instances)}", status.color), f"  {each.text}")
        for change in each.changes:
            out.line(f"    {change.text}")
            for position, line in enumerate(change.diff):
                if position == 0:
                    file, _, number = line.rpartition(":")
                    out.line((f"      {near_path(file)}:{number}", "dim"), fit="keep")
                else:
                    out.line((f"        {line}", _STYLES.get(line[:1], "dim")), fit="cut")
