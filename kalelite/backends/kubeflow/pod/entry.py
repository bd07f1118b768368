"""One task in a pod of Kubeflow Pipelines: ``python3 <bundle> run --task … --executor-input …``.

KFP gives the inputs as JSON, the *executor input*, and takes each output from a file. The task's
template lies in the bundle, beside the code; the values lie in the marshal store on a volume.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.backends.kubeflow.pod.pod_step import PodStep
from kalelite.backends.kubeflow.pod.run_records import RunRecords, on_volume
from kalelite.backends.kubeflow.pod.surroundings import NODE, index_of
from kalelite.capture.load import CodeReader
from kalelite.errors import KaleliteError, StepError, UsageError


def main(argv: list[str], read: Callable[[str], bytes]) -> int:
    """Run the task that the arguments after the bundle name; ``read`` reads a file of the bundle.

    The exit code is 0, or 1 if the task failed: its error is on the standard error by then.
    """
    try:
        flags = _flags(argv)
        tasks: dict[str, Any] = json.loads(read("tasks.json"))
        task = tasks[flags.task]
        is_pod = "serial" in task
        received: dict[str, Any] = json.loads(flags.executor_input)
        values = {**received.get("inputs", {}).get("parameterValues", {}), **flags.files}
        run, own = str(values.get(RUN) or "run"), None
        if flags.home:
            records, store = on_volume(flags.home, run)
        else:
            # It travels where values do.
            from kalelite.backends.kubeflow.pod.run_home import open_home

            own = open_home(run, received)
            records, store = own.records, own.store
        if not is_pod and task["verdict"]:
            return _verdict(task["verdict"], records)
        records.verify_volumes(flags.marks, flags.room)
        _install(flags.packages)
        code = CodeReader(lambda name: read(f"code/{name}"))
        outputs = received.get("outputs", {})
        node = os.environ.get(NODE, "")
        if is_pod:
            # It travels where tasks share pods.
            from kalelite.backends.kubeflow.pod.shared_pod import Shared, run_shared

            plan = read(f"pods/{flags.task}.pickle")
            shared = Shared(tasks, values, outputs, records, code, store, flags.work)
            index = index_of(node, task["depth"] + ("batch" in task))
            end = run_shared(task, plan, shared, index)
        else:
            sys.argv = [flags.task]
            index = index_of(node, task["depths"][flags.task])
            end = PodStep(task, values, outputs, records, code, store, index).run(flags.work)
        if own and end == 0:
            own.hand_on(outputs, task["gives"])
    except (KaleliteError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    return end


def _verdict(tasks: Sequence[str], records: RunRecords) -> int:
    """Tell KFP of failures that it was not told of: 1 if there are any."""
    bad = 0
    for name in (name for task in tasks for name in records.instances(task)):
        state, reason = records.end(name)
        if state in ("failed", "lost", "not run"):
            print(f"kalelite: {name} {state}: {reason}", file=sys.stderr)
            bad = 1
    return bad


@dataclass(frozen=True)
class _Flags:
    """The flags of ``run``; read by hand, for argparse costs as much as the rest of the start."""

    task: str
    executor_input: str
    home: str = ""
    work: str = ""
    packages: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    room: int = 0


def _flags(argv: list[str]) -> _Flags:
    """Read the flags; raises `UsageError` if they are not those that the compiler writes."""
    flags: dict[str, str] = {}
    packages: list[str] = []
    files: dict[str, str] = {}
    marks: dict[str, str] = {}
    room = 0
    rest = iter(argv[1:])
    for flag in rest:
        name, equals, value = flag.partition("=")
        if name == "--package" and equals:
            packages.append(value)
        elif name == "--file" and equals:
            port, _, path = value.partition("=")
            files[port] = path
        elif name == "--mark" and equals:
            folder, _, mark = value.rpartition("=")
            marks[folder] = mark
        elif name == "--room" and equals:
            room = int(value)
        else:
            flags[flag.lstrip("-").replace("-", "_")] = next(rest, "")
    wanted = {"task", "executor_input"}
    if argv[:1] != ["run"] or set(flags) - {"home", "work"} != wanted:
        raise UsageError(f"unknown arguments: {' '.join(argv)[:200]}", hint="compile it again")
    return _Flags(**flags, packages=tuple(packages), files=files, marks=marks, room=room)


def _install(packages: tuple[str, ...]) -> None:
    """Install packages for this pod only; raises `StepError` if pip could not."""
    if not packages:
        return
    import subprocess
    import tempfile

    folder = tempfile.mkdtemp(prefix="kalelite-packages-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--target", folder, *packages]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise StepError(
            f"pip could not install {', '.join(packages)} (exit code {done.returncode})",
            hint="Its messages are above; or use an image that holds the packages.",
        )
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    )
