"""Follows a run to its end: what is observed becomes the events and the record of a local run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kalelite.authoring.events import (
    Event,
    LoopStarted,
    Note,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
    TaskWaits,
)
from kalelite.backends.kubeflow.follow.observing import Observation
from kalelite.backends.kubeflow.follow.pod_troubles import (
    driver_failure,
    failure_of,
    trouble_of,
    waiting_for,
)
from kalelite.backends.kubeflow.follow.shared_logs import SharedLogs, lines_of
from kalelite.backends.kubeflow.follow.step_output import (
    failure_in,
    own_verdict,
    taken_from,
    without_failure,
    without_record,
)
from kalelite.errors import ClusterError
from kalelite.executor import record_file
from kalelite.executor.spec import FailureReport, Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kalelite.backends.kubeflow.follow.run_source import RunSource, Sighting
    from kalelite.backends.kubeflow.submit.run_answer import RunAnswer
    from kalelite.runs.writing import RunFolder

OUTAGE = 2 * 3600.0
"""Seconds for which nobody may answer before following is given up."""

PATIENCE = 8.0
"""Seconds that a pod may take to start before it is asked why."""

_LONGEST_WAIT = 60.0
_NOT_RUN = {"skipped": "its condition was false", "not run": "what it waits for did not succeed"}


class Traces(Protocol):
    """What a step has left behind, as far as it can be read from here."""

    def log(self, pod: str) -> str | None:
        """What a pod has printed."""

    def record(self, instance: str, seen: Observation, log: str | None) -> Record | None:
        """The record that the step itself has written."""

    def events(self, pod: str) -> list[str]:
        """What Kubernetes says has happened to a pod, oldest first."""


class Follower:
    """Follows one run.

    ``emit`` takes the events; ``tasks`` are the ids of the plan's tasks, ``pods`` those in each
    pod that several share. ``own``: the pods themselves write their logs into this record.
    """

    def __init__(
        self,
        source: RunSource,
        traces: Traces,
        folder: RunFolder,
        tasks: Collection[str],
        emit: Callable[[Event], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        pods: Mapping[str, Sequence[str]] | None = None,
        own: bool = False,
    ) -> None:
        self._own = own
        self._shared = SharedLogs(pods or {}, traces.log)
        self._source = source
        self._traces = traces
        self._folder = folder
        self._tasks = set(tasks)
        self._emit = emit
        self._clock = clock
        self._sleep = sleep
        self._seen: dict[str, Observation] = {}
        self._loops: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._told: dict[str, str] = {}

    def follow(self) -> RunAnswer:
        """Watch the run until it has ended; its last state.

        Raises `ClusterError`: the run is gone, or nobody has answered for `OUTAGE` seconds.
        """
        quiet = 0
        while True:
            sighting = self._look()
            changed = self._report(sighting)
            if sighting.run.state != "running":
                self._close(sighting)
                return sighting.run
            quiet = 0 if changed else quiet + 1
            self._sleep(self._source.pause(quiet))

    def _look(self) -> Sighting:
        """The state of the run, also after an hour without a network."""
        wanted = any(self._clock() - since > PATIENCE for since in self._since.values())
        begun, wait, told = self._clock(), 2.0, False
        while True:
            try:
                sighting = self._source.look(wanted=wanted)
            except ClusterError as error:
                if getattr(error, "status", 401) != 401 or self._clock() - begun > OUTAGE:
                    error.hint = f"{error.hint} The run goes on: kalelite follow {self._folder.id}"
                    raise
                if not told:
                    self._emit(Note(f"{error.message}; the run goes on, and is asked for again"))
                told = True
                self._sleep(wait)
                wait = min(wait * 1.5, _LONGEST_WAIT)
                continue
            if told:
                self._emit(Note("Kubeflow Pipelines answers again"))
            return sighting

    def _report(self, sighting: Sighting) -> bool:
        """Tell what is new; whether anything is."""
        changed = False
        picture = self._shared.resolve(sighting.picture)
        for loop, count in picture.loops.items():
            if self._loops.get(loop) != count:
                self._loops[loop] = count
                self._emit(LoopStarted(loop, count))
                changed = True
        instances = picture.instances.items()
        for name, seen in sorted(instances, key=lambda item: item[1].started):
            before = self._seen.get(name)
            if before == seen or (before is not None and before.state in _FINAL):
                if seen.state == "starting":
                    self._explain(name, seen)
                continue
            self._seen[name] = seen
            self._advance(name, before, seen)
            changed = True
        return changed

    def _advance(self, name: str, before: Observation | None, seen: Observation) -> None:
        if seen.state == "starting":
            self._since.setdefault(name, self._clock())
            self._explain(name, seen)
            return
        self._since.pop(name, None)
        if seen.state in _NOT_RUN:
            if self._is_task(name):
                self._emit(TaskSkipped(name, seen.state, _NOT_RUN[seen.state]))
            return
        if seen.state == "waiting":
            return
        again = before is not None and before.attempt < seen.attempt
        if before is not None and again and before.state in {"running", "starting"}:
            self._retried(name, before)
        started = before is not None and before.state == "running" and not again
        if self._is_task(name) and not started and not seen.driver:
            self._emit(TaskStarted(name, seen.attempt, at=seen.started or self._clock()))
        if seen.state in {"succeeded", "failed"}:
            self._finish(name, seen)

    def _retried(self, name: str, before: Observation) -> None:
        log = self._keep_log(name, before)
        failure = self._failure(before, log)
        if self._is_task(name):
            path = self._folder.task(name) / "log.txt"
            self._emit(TaskRetried(name, before.attempt, failure, 0.0, path))

    def _finish(self, name: str, seen: Observation) -> None:
        log = self._keep_log(name, seen) if self._is_task(name) or seen.state == "failed" else None
        verdict = own_verdict(log) if log and seen.state == "succeeded" else None
        if verdict is not None and verdict[0] == "failed":
            seen = replace(seen, state="failed")
        elif verdict is not None and self._is_task(name):
            self._emit(TaskSkipped(name, *verdict))
            return
        record = self._traces.record(name, seen, log)
        if record is None or record.status != seen.state:
            failure = None
            if seen.state == "failed":
                failure = self._failure(seen, log)
            finished = seen.finished or self._clock()
            record = Record(
                name,
                seen.state,
                seen.attempt,
                failure=failure,
                started=seen.started or finished,
                finished=finished,
            )
        if not self._is_task(name):
            if record.failure is not None:
                self._emit(Note(f"{name} failed: {record.failure.message}"))
            return
        folder = self._folder.task(name)
        taken = taken_from(log) if log and not record.cached else ""
        record = replace(record, cached=taken) if taken else record
        if record.cached:
            self._folder.keep(record)
        record_file.commit(record, folder / "record.json")
        self._emit(TaskFinished(record, folder / "log.txt", at=record.finished))

    def _failure(self, seen: Observation, log: str | None) -> FailureReport:
        """Why it failed: what Kubernetes did to its pod, else what the step itself raised."""
        outside = trouble_of(seen.message)
        if outside is not None:
            return outside.report()
        if seen.driver:
            return driver_failure(seen.message, log or "")
        raised = failure_in(log) if log else None
        return raised or failure_of(seen.message)

    def _keep_log(self, name: str, seen: Observation) -> str | None:
        text = self._shared.text(seen.pod) if seen.shared else None
        if text is not None:
            text = lines_of(name, text)
        elif seen.pod:
            text = self._traces.log(seen.pod)
        if text is not None and not self._own:
            path: Path = self._folder.task(name) / "log.txt"
            shown = without_failure(text) if seen.state == "failed" else without_record(text)
            path.write_text(shown, "utf-8", errors="backslashreplace")
        return text

    def _explain(self, name: str, seen: Observation) -> None:
        """Say why a pod does not start, once it has had its time."""
        since = self._since.setdefault(name, self._clock())
        if self._clock() - since < PATIENCE:
            return
        trouble = waiting_for(seen.message)
        if trouble is None and self._clock() - since >= 2 * PATIENCE and seen.pod:
            trouble = waiting_for("", self._traces.events(seen.pod))
        if trouble is None:
            return
        text = f"{trouble.message}. {trouble.hint}".strip()
        # The same trouble comes in several wordings by turns; of one that is not known each counts.
        known = text if trouble.type == "Waiting" else trouble.type
        if self._told.get(name) != known:
            self._told[name] = known
            self._emit(TaskWaits(name, text))

    def _close(self, sighting: Sighting) -> None:
        """The run has ended: what has not come to an end of its own was not run."""
        if sighting.run.state == "failed" and sighting.root_driver:
            failure = driver_failure("", self._traces.log(sighting.root_driver) or "")
            self._emit(Note(f"{failure.message}. {failure.hint}".strip()))
        if sighting.run.state == "failed" and sighting.trouble:
            trouble = trouble_of(sighting.trouble)
            if trouble is not None and trouble.type not in {"Interrupted", "PodLostError"}:
                self._emit(Note(f"{trouble.message}. {trouble.hint}"))
        reason = "the run was cancelled" if sighting.run.state == "cancelled" else "the run ended"
        for name in self._unfinished():
            is_known = name.partition("[")[0] not in self._shared.unknown
            self._emit(TaskSkipped(name, "not run", reason if is_known else _UNKNOWN))

    def _unfinished(self) -> list[str]:
        # One stood for all instances while their pod had not begun to tell of them.
        stood = {outer for name in self._seen for outer in _around(name)}
        seen = [
            name
            for name, seen in self._seen.items()
            if seen.state not in _FINAL and self._is_task(name) and name not in stood
        ]
        known = {name.partition("[")[0] for name in self._seen}
        return [*seen, *sorted(self._tasks - known)]

    def _is_task(self, name: str) -> bool:
        return name.partition("[")[0] in self._tasks


def _around(name: str) -> list[str]:
    """What a name begins with before each of its places: ``a`` and ``a[0]`` of ``a[0][1]``."""
    parts = name.split("[")
    return ["[".join(parts[:n]) for n in range(1, len(parts))]


_FINAL = {"succeeded", "failed", "skipped", "not run"}
_UNKNOWN = (
    "whether it has run is not known here: its pod failed, and the log of that cannot be read"
)
