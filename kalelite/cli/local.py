"""Running here: the local backend with a face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kalelite.cli.board import Board
from kalelite.cli.json_output import JsonReporter
from kalelite.cli.plain import PlainReporter
from kalelite.cli.run import Face
from kalelite.cli.screens import is_ours
from kalelite.cli.summary import result_rows, summary
from kalelite.cli.terminal import Terminal
from kalelite.engine.events import Event, Reporter, RunFinished, RunStarted
from kalelite.errors import ExitCode, KaleliteError, StepError
from kalelite.plan.graph import Plan

if TYPE_CHECKING:
    from kalelite.backends.local.local_settings import LocalSettings

__all__ = ["FaceReporter", "Local", "reporter_for"]


def reporter_for(output: str, out: Terminal, *, debug: bool) -> Reporter:
    """The reporter that suits the stream. In debug mode the terminal belongs to the debugger."""
    if output == "json":
        return JsonReporter(out)
    if output == "auto" and out.can_redraw and not debug:
        from kalelite.cli.table import TableReporter

        return TableReporter(out)
    return PlainReporter(out)


class FaceReporter:
    """Shows runs by another reporter, and says the last words of each."""

    def __init__(
        self, inner: Reporter, out: Terminal, err: Terminal, command: Callable[[], str]
    ) -> None:
        self.inner = inner
        self.out = out
        self.err = err
        self.command = command
        self.board: Board | None = None

    def emit(self, event: Event) -> None:
        """Show an event."""
        self.inner.emit(event)
        if isinstance(event, RunStarted):
            self.board = Board(event)
        elif self.board is not None:
            self.board.apply(event)
            if isinstance(event, RunFinished):
                self._finish(self.board)

    def _finish(self, board: Board) -> None:
        to = self.out
        if isinstance(self.inner, JsonReporter):
            to = self.err
            records = {row.task: row.record for row in board.in_order() if row.record is not None}
            values = dict(result_rows(board.plan, records))
            self.inner.write({"event": "result", "run": board.run, "values": values})
        command = self.command() if board.state != "succeeded" else ""
        to.line()
        to.line(summary(board, to, command=command))

    def close(self) -> None:
        """Give the terminal back."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()


class Local:
    """The local backend as the command uses it."""

    gives_value = True

    def __init__(self, face: Face) -> None:
        # Now, because the script may change what imports need.
        from kalelite.backends.local.run import run_plan

        self._run_plan = run_plan
        self.status: int = ExitCode.OK
        self.shown: BaseException | None = None
        debug = bool(face.request.options.get("debug"))
        inner = reporter_for(face.setting("output"), face.out, debug=debug)
        self.reporter = FaceReporter(inner, face.out, face.err, face.command)
        self.settings = _settings(face, debug=debug)

    def act(self, plan: Plan, arguments: Mapping[str, Any], *, wanted: bool = True) -> Any:
        """Run a plan and show it; its value, if that is wanted."""
        self.reporter.board = None
        try:
            result = self._run_plan(plan, arguments, settings=self.settings, reporter=self.reporter)
            result.check()
        except BaseException as error:
            if self._is_told(error):
                interrupted = isinstance(error, KeyboardInterrupt)
                self.status = ExitCode.INTERRUPTED if interrupted else ExitCode.STEP_FAILED
                self.shown = error
            raise
        finally:
            self.reporter.close()
        return result.value if wanted else None

    def _is_told(self, error: BaseException) -> bool:
        """Whether the run's last words say it: a step failed, or the user has stopped the run."""
        board = self.reporter.board
        if board is None or board.state == "running":
            return False
        if isinstance(error, (StepError, KeyboardInterrupt)):
            return True
        # While debugging, a step's exception comes here as it was raised.
        return self.settings.debug and not isinstance(error, KaleliteError) and not is_ours(error)

    def close(self) -> None:
        """Give the terminal back, whatever happened."""
        self.reporter.close()


def _settings(face: Face, *, debug: bool) -> LocalSettings:
    from kalelite.backends.local.local_settings import LocalSettings
    from kalelite.runs import home

    return LocalSettings(
        # Before the script runs: it may go to another folder.
        home=home(face.setting("home")),
        jobs=face.setting("jobs"),
        verify=face.setting("verify"),
        start=face.setting("start"),
        cache=not face.request.options.get("no_cache"),
        debug=debug,
    )
