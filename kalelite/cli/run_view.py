"""A run as the command shows it: while it goes on, and when it is over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.authoring.events import Event, RunFinished, RunStarted
from kalelite.display.error_view import is_ours
from kalelite.display.json_lines import JsonLines
from kalelite.display.line_reporter import LineReporter
from kalelite.display.run_progress import RunProgress
from kalelite.display.summary import print_summary, result_rows
from kalelite.errors import ExitCode, KaleliteError, StepError

if TYPE_CHECKING:
    from kalelite.authoring.backends import Backend, Listener, Result, Submission
    from kalelite.cli.run_tagging import RunTagging
    from kalelite.display.screen import Screen
    from kalelite.plan.graph import Plan


def reporter_for(output: str, out: Screen, *, debug: bool) -> Listener:
    """The reporter that suits the stream. In debug mode the terminal belongs to the debugger."""
    if output == "json":
        return JsonLines(out)
    if output == "auto" and out.can_redraw and not debug:
        from kalelite.display.live_table import LiveTable

        return LiveTable(out)
    return LineReporter(out)


class RunView:
    """Shows runs by a reporter, and sums up each of them at its end.

    Parameters
    ----------
    reporter
        Shows a run while it goes on.
    out, err
        Where the summary goes: to ``err`` where ``out`` is for programs.
    commands
        What may be typed after a failure, by the folder of the run's record.
    explain
        Say at the end why each step ran or was taken from an earlier run.
    tagging
        What each run is called, and what is noted about it.

    Attributes
    ----------
    status
        The exit code so far.
    shown
        The error of the last run, if the user has seen it in the summary.
    also
        Another listener.
    """

    def __init__(
        self,
        reporter: Listener,
        out: Screen,
        err: Screen,
        commands: Callable[[Path], Sequence[str]],
        *,
        explain: bool = False,
        tagging: RunTagging | None = None,
    ) -> None:
        self.also: Listener | None = None
        self.status: int = ExitCode.OK
        self.shown: BaseException | None = None
        self._reporter = reporter
        self._out = out
        self._err = err
        self._commands = commands
        self._explain = explain
        self._tagging = tagging
        self._run: RunProgress | None = None

    def emit(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted) and self._tagging is not None:
            self._tagging.tag(event.folder, event.resumes)
        self._reporter.emit(event)
        if self.also is not None:
            self.also.emit(event)
        if isinstance(event, RunStarted):
            self._run = RunProgress(event)
        elif self._run is not None:
            self._run.apply(event)
            if isinstance(event, RunFinished):
                self._finish(self._run)

    def interrupted(self) -> bool:
        """Whether a run that would go on without us is to end: the user is asked, if one is there."""
        self.close()
        if not (sys.stdin.isatty() and self._err.is_tty):
            return False
        self._err.line()
        self._err.line("The run goes on without you. [Enter] leaves it, c and [Enter] cancels it.")
        try:
            return sys.stdin.readline().strip().lower() in {"c", "cancel"}
        except KeyboardInterrupt:
            return False

    def watch_submitted(self, run: Submission) -> None:
        """Follow a run that was submitted before, and show it; what goes wrong is raised."""
        self._run = None
        try:
            run.wait(self)
        except BaseException as error:
            if not self._shows(error):
                raise
            self.status = self._failed(error)
        finally:
            self.close()

    def watch(self, backend: Backend, plan: Plan, arguments: Mapping[str, Any]) -> Result:
        """Run a plan and show it; what goes wrong is raised."""
        self._run = None
        try:
            result = backend.run(plan, arguments, self)
            result.check()
        except BaseException as error:
            if self._shows(error):
                self.status = self._failed(error)
                self.shown = error
            raise
        finally:
            self.close()
        return result

    def _shows(self, error: BaseException) -> bool:
        """Whether the summary shows it: a step failed, or the user has stopped the run."""
        if self._run is None or self._run.state == "running":
            return False
        if isinstance(error, (StepError, KeyboardInterrupt)):
            return True
        if isinstance(error.__cause__, StepError):  # what the step raised
            return True
        # While debugging, a step's exception comes here as it was raised.
        if isinstance(error, KaleliteError):
            return self._run.state == "failed"
        return not is_ours(error)

    def _failed(self, error: BaseException) -> int:
        """The exit code after an error that the summary has shown."""
        cancelled = self._run is not None and self._run.state == "cancelled"
        stopped = cancelled or isinstance(error, KeyboardInterrupt)
        return ExitCode.INTERRUPTED if stopped else ExitCode.STEP_FAILED

    def _finish(self, run: RunProgress) -> None:
        to = self._out
        if isinstance(self._reporter, JsonLines):
            to = self._err
            records = {row.task: row.record for row in run.in_order()}
            values = dict(result_rows(run.plan, records))
            self._reporter.write({"event": "result", "run": run.run, "values": values})
        to.line()
        print_summary(run, to, commands=self._commands(run.folder), explain=self._explain)

    def close(self) -> None:
        """Give the terminal back."""
        close = getattr(self._reporter, "close", None)
        if close is not None:
            close()
