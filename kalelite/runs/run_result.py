"""What a run leaves: its state, its records, and its values, loaded on demand."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from kalelite.engine.evaluate import evaluate
from kalelite.engine.results import MissingError, ResultsView
from kalelite.errors import StepError, Where
from kalelite.executor.failure import is_users
from kalelite.executor.spec import FailureReport, OutputEntry, Record
from kalelite.frozen import frozen
from kalelite.marshal import Store
from kalelite.marshal.sharing import SharedLoads
from kalelite.plan.graph import Plan

Error = TypeVar("Error", bound=BaseException)


@frozen
class RunResult:
    """The end of a run.

    Attributes
    ----------
    run
        The run's id.
    state
        "succeeded", "failed" or "interrupted".
    folder
        Where its record, and a folder for each task, is.
    records
        The last record of each instance that ran, by its name: ``train[3]``.
    """

    run: str
    state: str
    folder: Path
    records: Mapping[str, Record]
    plan: Plan = field(repr=False)
    view: ResultsView = field(repr=False)
    store: Store = field(repr=False)

    @property
    def value(self) -> Any:
        """What the pipeline function returned, loaded from the store; None if nothing.

        Raises `StepError`: a step that it comes from has failed or was not run.
        """
        if self.plan.result is None:
            return None
        try:
            loads = SharedLoads(self.store)
            view = self.view.reading(lambda entry: loads.load(entry["ref"], f".{id(entry)}"))
            return evaluate(self.plan.result, view)
        except MissingError as missing:
            verb = "failed" if missing.failed else "did not run"
            raise StepError(f"there is no result: {missing.task} {verb}") from None

    def output(self, name: str) -> Any:
        """An output by the instance's name and its own: ``"train.model"``, ``"fit[3].model"``.

        The output may be left out where there is only one.

        Raises `StepError`: there is no such output.
        """
        task, _, output = name.partition(".")
        record = self.records.get(task)
        outputs: Mapping[str, OutputEntry] = record.outputs if record else {}
        if not output and len(outputs) == 1:
            output = next(iter(outputs))
        if output not in outputs:
            known = ", ".join(f"{task}.{each}" for each in outputs) or "nothing"
            raise StepError(f"the run has no output {name!r}", hint=f"{task} left {known}.")
        return self.store.load(outputs[output]["ref"])

    @property
    def failures(self) -> list[Record]:
        """The records of the tasks that failed, in the order in which they did."""
        failed = [record for record in self.records.values() if record.failure is not None]
        return sorted(failed, key=lambda record: record.finished)

    def check(self) -> None:
        """Raise what a caller should know of.

        Raises `StepError`: a step failed; `KeyboardInterrupt`: the run was interrupted.
        """
        if self.state == "interrupted":
            again = f"kalelite.runs.Run.open({self.run!r}).resume()"
            text = f"the run was stopped. To go on with it: {again}, or in a shell: kalelite resume"
            raise _shown_as(KeyboardInterrupt(text), f"KeyboardInterrupt: {text}")
        if self.state == "failed":
            for record in self.failures:
                assert record.failure is not None
                failed = step_error(record.task, record.failure)
                failed.add_note(record.failure.traceback)
                raised = self._raised(record.failure)
                if raised is None:
                    raise failed
                title = f"{record.task} failed in run {self.run}"
                text = re.sub(r'File "(In\[\d+\])"', r"Cell \1", record.failure.traceback)
                raise _shown_as(raised, f"{title}\n\n{text}") from failed
            raise StepError(f"the run {self.run} failed", hint="Its notes say why.")

    def _raised(self, failure: FailureReport) -> Exception | None:
        """The exception of a step, if it was saved and can be loaded here."""
        try:
            error = self.store.load(failure.raised) if failure.raised else None
        except Exception:  # of its own code; `StepError` says what is known
            return None
        return error if isinstance(error, Exception) else None


def _shown_as(error: Error, text: str) -> Error:
    """Let a notebook show this text, and not the frames of kalelite that raise the error."""
    if "IPython" in sys.modules:
        with contextlib.suppress(Exception):  # its class may not have it
            error._render_traceback_ = text.splitlines  # type: ignore[attr-defined]
    return error


def step_error(task: str, failure: FailureReport) -> StepError:
    """The failure of a task as an exception that points to the user's line."""
    where = None
    if failure.frames:
        users = [frame for frame in failure.frames if is_users(frame)]
        frame = (users or failure.frames)[-1]
        where = Where(frame.file, frame.line, frame.column, frame.end_column, frame.text)
    kind = failure.type.removeprefix("builtins.")
    message = f"{kind}: {failure.message}" if failure.message else kind
    return StepError(f"{task} failed: {message}", hint=failure.hint, where=where)
