"""A run on Kubeflow Pipelines, from here: followed, cancelled, and what it gave."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import ambient_listener
from kalelite.authoring.events import BriefReporter, Note, RunFinished, RunStarted
from kalelite.authoring.plain_script import in_kernel
from kalelite.backends.kubeflow.bring.fetching import fetch
from kalelite.backends.kubeflow.follow.cluster_traces import ClusterTraces
from kalelite.backends.kubeflow.follow.follower import Follower
from kalelite.backends.kubeflow.follow.live_logs import refresh_logs
from kalelite.backends.kubeflow.follow.run_source import RunSource
from kalelite.errors import (
    ClusterError,
    KaleliteError,
    MissingObjectError,
    StepError,
    UsageError,
)
from kalelite.humanize import duration
from kalelite.runs.expecting import expected
from kalelite.runs.pipeline_run import Run
from kalelite.runs.recording import recording

if TYPE_CHECKING:
    from kalelite.authoring.backends import Listener
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_files import KfpData
    from kalelite.runs.writing import RunFolder
    from kalelite.volumes.cluster import Cluster


class SubmittedRun:
    """A run that has been started. It goes on whether or not anybody follows it.

    Attributes
    ----------
    id
        The run's id here, as ``kalelite runs`` lists it.
    url
        Where a person sees it in the UI of Kubeflow Pipelines.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: KfpData,
        url: str,
        plan: Plan,
        service: KfpService,
        cluster: Cluster | None = None,
    ) -> None:
        self.id = folder.id
        self.url = url
        self._folder = folder
        self._data = data
        self._plan = plan
        self._service = service
        self._cluster = cluster
        self._watch: threading.Thread | None = None

    @property
    def state(self) -> str:
        """How it is now: "running", "succeeded", "failed" or "cancelled"."""
        recorded = self.record().state
        return self._service.run(self._data["run"]).state if recorded == "running" else recorded

    def wait(self, listener: Listener | None = None) -> SubmittedRun:
        """Follow the run to its end.

        Raises
        ------
        StepError
            A step failed, or the run was cancelled.
        ClusterError
            Nobody has answered for two hours.
        """
        self.follow(listener)
        self.check()
        return self

    def follow(self, listener: Listener | None = None) -> str:
        """Follow the run to its end, whatever that is; its state."""
        while self._watch is not None and self._watch.is_alive():
            self._watch.join(0.2)  # what follows it already shows it, too
        run = self.record()
        if self._watch is not None and run.state != "running":
            return run.state
        return self._follow(listener or ambient_listener() or BriefReporter())

    def _follow(self, reporter: Listener) -> str:
        run = self.record()
        emit = recording(reporter, self._folder)
        begun = float(run.data["started"])
        emit(Note(self.url))
        emit(RunStarted(self.id, self._plan, self._folder.folder, 0, run.resumes, at=begun))
        with suppress(UsageError):  # the earlier run has been deleted
            if run.resumes:
                emit(expected(run, Run.open(run.resumes, folder=run.home)))
        own = self._own()
        away = Path(self._data["home"], "runs", self._data["records"] or self._data["run"])
        records = own or away
        traces = ClusterTraces(self._cluster, records / "tasks" if self._data["home"] else None)
        workflows = traces if self._cluster is not None else None
        if self._cluster is None and self._data.get("pods"):
            emit(Note(_NO_LOGS))
        source = RunSource(self._service, self._data["run"], self._data["nodes"], workflows)
        tasks = [task.id for task in self._plan.tasks]
        pods = self._data.get("pods")
        follower = Follower(
            source, traces, self._folder, tasks, emit, pods=pods, own=own is not None
        )
        while True:
            try:
                answer = follower.follow()
                break
            except KeyboardInterrupt:
                if not _cancels(reporter):
                    emit(Note(f"The run goes on: {self.url}"))
                    emit(Note(f"kalelite follow {self.id} shows it again."))
                    raise
                self.cancel()
                emit(Note("The run is being cancelled."))
        self._folder.finish(answer.state, answer.finished)
        if self._data.get("passing") and source.kept:
            until = (answer.finished or time.time()) + source.kept
            self._data = {**self._data, "until": until}
            self._folder.update(kfp=self._data)
            emit(
                Note(
                    f"Kubeflow removes the run's volume, with its values, {duration(source.kept)} after "
                    f"its end. kalelite get {self.id} STEP --fetch brings one; "
                    "marshal_volume= with the name of a claim keeps all."
                )
            )
        emit(RunFinished(self.id, answer.state, self.record().seconds))
        return answer.state

    def _own(self) -> Path | None:
        """The folder of the run by KFP's id, if its pods write to this record itself."""
        folder = Path(self._folder.home, "runs", self._data["run"])
        return folder if folder.is_dir() else None

    def check(self) -> None:
        """Raise `StepError` if the run has not succeeded."""
        run = self.record()
        if run.state == "cancelled":
            raise StepError(f"the run {self.id} was cancelled", hint=self.url)
        if run.state == "failed":
            failed = [
                (name, task.record.failure)
                for name, task in run.tasks.items()
                if task.record is not None and task.record.failure is not None
            ]
            if failed:
                name, failure = failed[0]
                raise StepError(
                    f"{name} failed: {failure.type}: {failure.message}", hint=failure.hint
                )
            raise StepError(f"the run {self.id} failed", hint=self.url)

    def value(self, name: str) -> Any:
        """An output of a step: ``"train.model"``, or ``"train"`` if it has one.

        It is brought from the run's volume if it is not here.

        Raises `UsageError` if there is none, `ClusterError` if it cannot be brought.
        """
        try:
            return self.record().load(name)
        except (UsageError, MissingObjectError):
            return self.fetch([name]).load(name)

    def logs(self, step: str) -> str:
        """What a step has printed so far, as far as it can be read from here."""
        self.refresh(step)
        run = self.record()
        task = run.tasks.get(step)
        if task is None:
            raise UsageError(
                f"the run has no step {step!r}", hint=f"there are {', '.join(run.tasks)}"
            )
        path: Path | None = task.log
        return path.read_text("utf-8", "replace") if path is not None and path.exists() else ""

    def refresh(self, step: str | None = None) -> str:
        """Read the logs of a step, or of all, from the cluster into the record; the run's state.

        Without Kubernetes the logs stay as they are.
        """
        state = self.state
        if self._cluster is not None and self._own() is None:
            tasks = {task.id for task in self._plan.tasks}
            traces = ClusterTraces(self._cluster)
            with suppress(ClusterError):
                refresh_logs(traces, self._data, self._folder.tasks, tasks, step)
        return state

    def cancel(self) -> None:
        """Ask for the end of the run; its pods are stopped within some seconds."""
        self._service.terminate(self._data["run"])

    def fetch(self, names: Sequence[str] = ()) -> Run:
        """Bring the records of the steps, and the outputs of these names, from the run's volume.

        A pod that mounts the volume gives them away; nothing is unpickled here.

        Raises `ClusterError` if Kubernetes cannot be reached, or such a pod may not be made;
        `UsageError` if there is no such output.
        """
        return fetch(self._cluster, self._service, self._data, self.record(), names)

    def record(self) -> Run:
        """The run as its record here has it."""
        return Run.open(self.id, folder=self._folder.folder.parent.parent)

    def _ipython_display_(self) -> None:
        """Show it live in a notebook, and go on with that while other cells run."""
        if not in_kernel() or self._watch is not None or self.record().state != "running":
            from IPython.display import display

            display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]
            return
        listener = ambient_listener() or BriefReporter()
        self._watch = threading.Thread(target=self._follow_beside, args=(listener,), daemon=True)
        watch_here = getattr(listener, "begin", None)
        if watch_here is not None:
            watch_here(f"{self._plan.name}: submitted, {self.url}")
        self._watch.start()

    def _follow_beside(self, listener: Listener) -> None:
        try:
            self._follow(listener)
        except KaleliteError as error:
            listener.emit(Note(str(error)))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """How a notebook shows it as it is."""
        del include, exclude  # IPython filters what it gets
        return {"text/plain": repr(self), "text/html": self.record()._repr_html_()}

    def __repr__(self) -> str:
        return f"<run {self.id} of {self._plan.name} at {self.url}>"


_NO_LOGS = (
    "Steps that share a pod are shown when that has ended, and as one until then: what happens in it "
    "stands in its log, and Kubernetes cannot be reached from here"
)


def _cancels(listener: Listener) -> bool:
    """Whether whoever listens wants the run to end, and not only to be left alone."""
    ask = getattr(listener, "interrupted", None)
    return bool(ask()) if ask is not None else False
