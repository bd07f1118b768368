"""Several tasks in one pod: each runs as it would in a pod of its own, in the order of a schedule.

This is what KFP does with pods, done with processes: an instance is given its values under the
names of KFP's parameters, and what conditions and loops read comes back in files.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kalelite.attempts import machine, posix
from kalelite.authoring.events import LoopStarted, Note, TaskSkipped
from kalelite.backends.kubeflow.pod.kfp_artifacts import show
from kalelite.backends.kubeflow.pod.pod_log import PodLines, ToldRecords, tell
from kalelite.backends.kubeflow.pod.pod_step import PodStep
from kalelite.engine.schedule import Schedule
from kalelite.engine.transitions import Instance, Outcome, Ready, Transition, instance_name
from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.pod.contract import PodManifest, TaskManifest
    from kalelite.backends.kubeflow.pod.run_records import RunRecords
    from kalelite.capture.load import CodeReader
    from kalelite.executor.spec import OutputEntry
    from kalelite.marshal.store import Store


@frozen
class Shared:
    """What the tasks of a pod share: their manifests, KFP's values, what it is to be left, records, code."""

    tasks: Mapping[str, TaskManifest]
    values: Mapping[str, Any]
    outputs: Mapping[str, Any]
    records: RunRecords
    code: CodeReader
    store: Store
    work: str


def run_shared(pod: PodManifest, plan: bytes, shared: Shared, index: tuple[int, ...]) -> int:
    """Run the plan of a shared pod; the exit code.

    ``index`` is where it stands in the loops around it, and at last which batch it does, if any. The
    plan comes out of the bundle, whose digest the pod has checked.
    """
    shared = replace(
        shared, records=ToldRecords(shared.records.folder, shared=shared.records.shared)
    )
    parts = {}
    if "batch" in pod:
        loop, size = pod["batch"]
        *around, batch = index
        index, parts = tuple(around), {loop: range(batch * size, (batch + 1) * size)}
    schedule = Schedule(pickle.loads(plan), shared.values, parts=parts)
    width = 1 if pod["serial"] else machine.cores()
    return _SharedRun(pod, schedule, shared, index, width).run()


class _SharedRun:
    """The schedule of a pod while it goes on."""

    def __init__(
        self,
        pod: PodManifest,
        schedule: Schedule,
        shared: Shared,
        index: tuple[int, ...],
        width: int,
    ) -> None:
        self._pod = pod
        self._schedule = schedule
        self._shared = shared
        self._index = index
        self._width = width
        self._ready: deque[Instance] = deque()
        self._running: dict[int, _Running] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="kalelite-pod-"))
        self._done: list[str] = []
        self._ended = False

    def run(self) -> int:
        """Run everything; 0 if all has gone well."""
        before = signal.signal(signal.SIGTERM, lambda *_: self._end())
        try:
            self._take_in(self._schedule.start())
            while self._ready or self._running:
                while self._ready and len(self._running) < self._width and not self._ended:
                    self._start(self._ready.popleft())
                if not self._running:
                    break
                for output in select.select([*self._running], [], [])[0]:
                    running = self._running[output]
                    if not running.lines.pass_on(output):
                        del self._running[output]
                        os.close(output)
                        _, status = os.waitpid(running.pid, 0)
                        self._finish(running.instance, succeeded=status == 0)
        finally:
            signal.signal(signal.SIGTERM, before)
        if self._schedule.state == "succeeded":
            self._show()
            return 0
        return 143 if self._ended else 1

    def _show(self) -> None:
        """Hand what the steps have logged to KFP, under their names."""
        shared = self._shared
        found = {
            f"{name}.": (record, shared.records.folder / name)
            for name in self._done
            if (record := shared.records.record(name)) is not None
        }
        show(found, shared.outputs, shared.values)

    def _take_in(self, transitions: Iterable[Transition]) -> None:
        records = self._shared.records
        for transition in transitions:
            if isinstance(transition, Ready):
                self._ready.append(transition.instance)
            elif isinstance(transition, TaskSkipped):
                name = self._placed(transition.task)
                records.make(name)
                records.event(name, transition.status, reason=transition.reason)
            elif isinstance(transition, LoopStarted):
                tell({"loop": self._placed(transition.loop), "count": transition.count})
            elif isinstance(transition, Note):
                print(f"kalelite: {transition.text}", file=sys.stderr, flush=True)

    def _placed(self, name: str) -> str:
        """The name of an instance with the loops around the pod in it, too."""
        task, bracket, rest = name.partition("[")
        return f"{instance_name(task, self._index)}{bracket}{rest}"

    def _start(self, instance: Instance) -> None:
        """Begin an instance in a process of its own, which stands for its pod."""
        sys.stdout.flush()
        sys.stderr.flush()
        output, given = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(output)
            self._become(instance, given)
        os.close(given)
        name = instance_name(instance.task, (*self._index, *instance.index))
        self._running[output] = _Running(instance, pid, PodLines(name))

    def _become(self, instance: Instance, output: int) -> NoReturn:
        code = 1
        try:
            posix.die_with_parent()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            shared, task = self._shared, self._shared.tasks[instance.task]
            view = self._schedule.view(instance.task, instance.index)
            names = self._pod["items"]
            items = {names[loop]: view.item(loop) for loop in view.loops if loop in names}
            sys.argv = [instance.task]
            values, outputs = {**shared.values, **items}, {"parameters": self._files(instance)}
            index = (*self._index, *instance.index)
            step = PodStep(task, values, outputs, shared.records, shared.code, shared.store, index)
            code = step.run(shared.work)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    def _files(self, instance: Instance) -> dict[str, Mapping[str, str]]:
        """Where the outputs of an instance go: where KFP takes them, else into the pod's folder."""
        own = self._folder / instance.name
        given = self._shared.outputs.get("parameters", {})
        names = (port["name"] for port in self._shared.tasks[instance.task]["outputs"])
        return {name: given.get(name) or {"outputFile": str(own / name)} for name in names}

    def _finish(self, instance: Instance, *, succeeded: bool) -> None:
        outputs: dict[str, OutputEntry] = {}
        if succeeded:
            self._done.append(instance_name(instance.task, (*self._index, *instance.index)))
            files = self._files(instance)
            for port in self._shared.tasks[instance.task]["outputs"]:
                text = Path(files[port["name"]]["outputFile"]).read_text("utf-8")
                value = text if port["type"] == "str" else json.loads(text)
                outputs[port["name"]] = {"ref": "", "native": value}
        outcome = Outcome("succeeded" if succeeded else "failed", outputs)
        self._take_in(self._schedule.finish(instance, outcome))

    def _end(self) -> None:
        """The pod is ended: so are its steps, and nothing more is started."""
        self._ended = True
        for running in self._running.values():
            with suppress(OSError):
                os.kill(running.pid, signal.SIGTERM)


@frozen
class _Running:
    """An instance that runs, its process, and the lines that it prints."""

    instance: Instance
    pid: int
    lines: PodLines
