"""A run as the command shows it: while it goes on, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kalelite.authoring.backends import Backend, Result
from kalelite.cli.board import Board
from kalelite.cli.json_output import JsonReporter
from kalelite.cli.plain import PlainReporter
from kalelite.cli.screens import is_ours
from kalelite.cli.summary import result_rows, summary
from kalelite.cli.terminal import Terminal
from kalelite.engine.events import Event, Reporter, RunFinished, RunStarted
from kalelite.errors import ExitCode, KaleliteError, StepError
from kalelite.plan.graph import Plan

__all__ = ["RunView", "reporter_for"]


def reporter_for(output: str, out: Terminal, *, debug: bool) -> Reporter:
    """The reporter that suits the stream. In debug mode the terminal belongs to the debugger."""
    if output == "json":
        return JsonReporter(out)
    if output == "auto" and out.can_redraw and not debug:
        from kalelite.cli.table import TableReporter

        return TableReporter(out)
    return PlainReporter(out)


class RunView:
    """Shows runs by a reporter, and sums up each of them at its end.

    Parameters
    ----------
    reporter
        Shows a run while it goes on.
    out, err
        Where the summary goes: to ``err`` where ``out`` is for programs.
    command
        The command to be typed again after a failure.

    Attributes
    ----------
    status
        The exit code so far.
    shown
        The error of the last run, if the user has seen it in the summary.
    """

    def __init__(
        self, reporter: Reporter, out: Terminal, err: Terminal, command: Callable[[], str]
    ) -> None:
        self.status: int = ExitCode.OK
        self.shown: BaseException | None = None
        self._reporter = reporter
        self._out = out
        self._err = err
        self._command = command
        self._board: Board | None = None

    def emit(self, event: Event) -> None:
        """Show an event."""
        self._reporter.emit(event)
        if isinstance(event, RunStarted):
            self._board = Board(event)
        elif self._board is not None:
            self._board.apply(event)
            if isinstance(event, RunFinished):
                self._finish(self._board)

    def watch(self, backend: Backend, plan: Plan, arguments: Mapping[str, Any]) -> Result:
        """Run a plan and show it; what goes wrong is raised."""
        self._board = None
        try:
            result = backend.run(plan, arguments, self)
            result.check()
        except BaseException as error:
            if self._shows(error):
                interrupted = isinstance(error, KeyboardInterrupt)
                self.status = ExitCode.INTERRUPTED if interrupted else ExitCode.STEP_FAILED
                self.shown = error
            raise
        finally:
            self.close()
        return result

    def _shows(self, error: BaseException) -> bool:
        """Whether the summary shows it: a step failed, or the user has stopped the run."""
        if self._board is None or self._board.state == "running":
            return False
        if isinstance(error, (StepError, KeyboardInterrupt)):
            return True
        # While debugging, a step's exception comes here as it was raised.
        return not isinstance(error, KaleliteError) and not is_ours(error)

    def _finish(self, board: Board) -> None:
        to = self._out
        if isinstance(self._reporter, JsonReporter):
            to = self._err
            records = {row.task: row.record for row in board.in_order() if row.record is not None}
            values = dict(result_rows(board.plan, records))
            self._reporter.write({"event": "result", "run": board.run, "values": values})
        command = self._command() if board.state != "succeeded" else ""
        to.line()
        to.line(summary(board, to, command=command))

    def close(self) -> None:
        """Give the terminal back."""
        close = getattr(self._reporter, "close", None)
        if close is not None:
            close()
