"""What shows a run that no command stands around: of a script that Python runs, or of a cell."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kalelite.authoring.events import Event, TaskFinished
from kalelite.authoring.plain_script import in_kernel
from kalelite.cli.run_view import reporter_for
from kalelite.display.printed_lines import with_printed_lines
from kalelite.display.screen import Screen
from kalelite.display.summary import log_tail

if TYPE_CHECKING:
    from kalelite.authoring.backends import Listener


class _Silent:
    """Shows nothing."""

    def emit(self, event: Event) -> None:
        """Nothing: what fails is raised."""


class _WithLogs:
    """Shows the end of the log of a step that failed: the exception comes without it."""

    def __init__(self, reporter: Listener, out: Screen) -> None:
        self._reporter = reporter
        self._out = out

    def emit(self, event: Event) -> None:
        """Show an event."""
        self._reporter.emit(event)
        if isinstance(event, TaskFinished) and event.record.failure is not None:
            printed, _ = log_tail(event.log)
            for line in printed:
                self._out.line((f"{event.record.task} │ ", "dim"), line, fit="cut")


def plain_display() -> Listener:
    """The listener for where this process is: a table on a terminal or in a cell, else lines.

    Lines go to the standard error, as the standard output is the script's own. Nothing is shown
    where the environment says ``KALELITE_QUIET=1``.
    """
    if os.environ.get("KALELITE_QUIET", "0") not in {"", "0"}:
        return _Silent()
    if in_kernel():
        from kalelite.notebook.live_cell import LiveCell

        return LiveCell()
    out = Screen(sys.stderr)
    return _WithLogs(with_printed_lines(reporter_for("auto", out, debug=False)), out)
