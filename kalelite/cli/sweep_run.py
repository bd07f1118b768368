"""A sweep as it goes on: trials are started, listened to, and told to the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.attempts.machine import cores
from kalelite.cli.sweep_trials import Trials
from kalelite.errors import ExitCode, UsageError
from kalelite.runs.pipeline_run import Run
from kalelite.sweep.objective import objective_of
from kalelite.sweep.search import Search
from kalelite.sweep.space import text_of
from kalelite.sweep.sweep_record import Sweep, SweepFolder, Trial

if TYPE_CHECKING:
    from kalelite.display.sweep_view import SweepView


class SweepRun:
    """Runs the trials of a sweep that have not succeeded yet, and then those that the search asks for."""

    def __init__(
        self, sweep: Sweep, folder: SweepFolder, search: Search, home: Path, listener: SweepView
    ) -> None:
        self.sweep = sweep
        self._folder = folder
        self._search = search
        self._home = home
        self._listener = listener
        self._trials = Trials(sweep.folder)
        self._steps: dict[int, set[str]] = {}
        self._totals: dict[int, int] = {}
        self._stopping = False
        self.complaint = ""
        """What a trial said that could not even begin."""
        self._again = [trial for trial in sweep.trials if trial.state != "succeeded"]

    def run(self) -> int:
        """Run them all; the exit code."""
        code: int = ExitCode.OK
        while True:
            try:
                self._start_some()
                if not self._trials.running:
                    break
                code = self._take_in(*self._trials.news.get()) or code
            except KeyboardInterrupt:
                self._stopping = True
                self._trials.interrupt()
        if code not in {ExitCode.OK, ExitCode.STEP_FAILED}:
            return code
        if self._stopping:
            return ExitCode.INTERRUPTED
        return code

    def _start_some(self) -> None:
        while not self._stopping and len(self._trials.running) < self.sweep.jobs:
            trial = self._next()
            if trial is None:
                return
            words = self._words(trial)
            trial = replace(trial, state="running", run="", value=None, problem="")
            self._steps[trial.number] = set()
            self._keep(trial)
            self._trials.start(trial.number, words, self._folder.log(trial))

    def _next(self) -> Trial | None:
        if self._again:
            return self._again.pop(0)
        number = len(self.sweep.trials) + 1
        point = self._search.ask(number)
        return None if point is None else Trial(number, point)

    def _words(self, trial: Trial) -> Sequence[str]:
        """The command line of a trial; one that goes on elsewhere is only followed."""
        if trial.run and "--kfp" in self.sweep.words:
            run = Run.open(trial.run, folder=self._home)
            if run.state == "running":
                return ["follow", run.id, "--home", str(self._home), "--output", "json"]
        words, cut, rest = _around(self.sweep.words, "--")
        values = [
            word
            for name, value in trial.point.items()
            for word in ("-p", f"{name}={text_of(value)}")
        ]
        tags = ["--tag", f"sweep={self.sweep.id}", "--tag", f"trial={trial.number}"]
        options = [*tags, "--home", str(self._home), "--output", "json"]
        if "--kfp" not in self.sweep.words:
            options += ["--share-results", str(self._folder.results)]
            if self.sweep.jobs > 1:
                options += ["--jobs", str(max(1, cores() // self.sweep.jobs))]
        return [*words, *values, *options, *cut, *rest]

    def _keep(self, trial: Trial, steps: str = "") -> None:
        self.sweep = self.sweep.changed(trial)
        self._folder.write(self.sweep)
        self._listener.changed(self.sweep, trial, steps)

    def _trial(self, number: int) -> Trial:
        return next(trial for trial in self.sweep.trials if trial.number == number)

    def _take_in(self, number: int, event: Mapping[str, Any] | None) -> int:
        """Take in what a trial tells; the exit code of the sweep where the trial was the last."""
        trial = self._trial(number)
        if event is None:
            return self._ended(trial, self._trials.ended(number))
        kind = event.get("event")
        if kind == "run_started":
            self._totals[number] = len(event["plan"]["tasks"])
            if trial.run:
                self._trials.interrupt()
                raise UsageError(
                    f"{self.sweep.words[0]} calls more than one pipeline: a trial is one run",
                    hint="Name the pipeline and let the script call it under `if __name__ == ...`.",
                )
            self._keep(replace(trial, run=str(event["run"])))
        elif kind in {"task_finished", "task_skipped"}:
            self._steps[number].add(str(event.get("task") or event["record"]["task"]))
            self._listener.changed(self.sweep, trial, self._progress(number))
        return ExitCode.OK

    def _progress(self, number: int) -> str:
        done = len(self._steps[number])
        return f"{done} of {max(done, self._totals.get(number, 0))} steps"

    def _ended(self, trial: Trial, code: int) -> int:
        if not trial.run:
            # It was not even begun: so it would be with all others.
            if code != ExitCode.INTERRUPTED:
                self._stopping = True
                self.complaint = self._folder.log(trial).read_text("utf-8", "replace").rstrip()
            self._keep(replace(trial, state="waiting"))
            return code
        log = self._folder.log(trial)
        if not log.stat().st_size:
            log.unlink()
        run = Run.open(trial.run, folder=self._home)
        ended = replace(trial, state=run.state, seconds=run.seconds, problem=_problem_of(run))
        if ended.state == "succeeded" and self.sweep.objective:
            if "--kfp" in self.sweep.words:  # what its steps have left is on a volume there
                self._trials.fetch(run.id, self._home, log)
                run = Run.open(run.id, folder=self._home)
            try:
                ended = replace(ended, value=objective_of(run, self.sweep.objective))
            except UsageError as error:
                ended = replace(ended, problem=" ".join(filter(None, (error.message, error.hint))))
        self._keep(ended)
        self._search.tell(ended)
        return ExitCode.OK if ended.state == "succeeded" else ExitCode.STEP_FAILED


def _around(words: Sequence[str], word: str) -> tuple[list[str], list[str], list[str]]:
    """What is before a word, the word, and what is after it."""
    if word not in words:
        return list(words), [], []
    cut = list(words).index(word)
    return list(words[:cut]), [word], list(words[cut + 1 :])


def _problem_of(run: Run) -> str:
    """Why a run failed: its first failure."""
    for name, task in run.tasks.items():
        if task.record is not None and task.record.failure is not None:
            return f"{name}: {task.record.failure.message}"
    return "" if run.state == "succeeded" else run.state
