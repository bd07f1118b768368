"""One task in a pod of Kubeflow Pipelines: ``python3 <bundle> run --task … --executor-input …``.

KFP gives the inputs as JSON, the *executor input*, and takes each output from a file. The task's
template lies in the bundle, beside the code; the values lie in the marshal store on a volume.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.pod.inputs import AbsentError, Inputs
from kalelite.backends.kubeflow.pod.outputs import write_outputs
from kalelite.errors import KaleliteError, StepError, UsageError
from kalelite.executor import record_file as records
from kalelite.executor.execute import execute
from kalelite.executor.spec import Record, TaskSpec
from kalelite.executor.template import TaskTemplate, fill

if TYPE_CHECKING:
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store

__all__ = ["main"]

Json = dict[str, Any]


def main(argv: list[str], read: Callable[[str], bytes]) -> int:
    """Run the task that the arguments name.

    Parameters
    ----------
    argv
        The arguments after the bundle: ``run`` and its flags.
    read
        Reads a file of the bundle.

    Returns
    -------
    int
        The exit code: 0, or 1 if the task failed. Its error is on the standard error by then.
    """
    try:
        given = _arguments(argv)
        task = json.loads(read("tasks.json"))[given.task]
        received = json.loads(given.executor_input)
        _install(given.packages)
        record = _run(given, task, received, read)
        if record.failure is not None:
            print(record.failure.traceback or record.failure.message, file=sys.stderr)
            if record.failure.hint:
                print(f"  {record.failure.hint}", file=sys.stderr)
            return 1
        store = _store(given)
        files = received.get("outputs", {}).get("parameters", {})
        write_outputs(task["outputs"], record, files, store.load)
    except KaleliteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class _Given:
    """The flags of ``run``; read by hand, for argparse costs as much as the rest of the start."""

    task: str
    home: str
    executor_input: str
    packages: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def _arguments(argv: list[str]) -> _Given:
    """Read the flags.

    Raises
    ------
    UsageError
        They are not those that the compiler writes.
    """
    flags: dict[str, str] = {}
    packages: list[str] = []
    files: dict[str, str] = {}
    words = iter(argv[1:])
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--package" and equals:
            packages.append(value)
        elif name == "--file" and equals:
            port, _, path = value.partition("=")
            files[port] = path
        else:
            flags[word.lstrip("-").replace("-", "_")] = next(words, "")
    if argv[:1] != ["run"] or set(flags) != {"task", "home", "executor_input"}:
        raise UsageError(f"unknown arguments: {' '.join(argv)[:200]}", hint="compile it again")
    return _Given(**flags, packages=tuple(packages), files=files)


def _run(given: _Given, task: Json, received: Json, read: Callable[[str], bytes]) -> Record:
    from kalelite.capture.load import CodeReader

    code = CodeReader(lambda name: read(f"code/{name}"))
    store = _store(given)
    values = {**received.get("inputs", {}).get("parameterValues", {}), **given.files}
    run = Path(given.home) / "runs" / str(values.get("run") or "run")
    path = run / "tasks" / _instance(task, values) / "record.json"
    spec = _spec(task, values, path, code, store)
    sys.argv = [given.task]
    return execute(spec, code, store, durable=True)


def _store(given: _Given) -> Store:
    """The store of the run; sha256, because no other digest is in every image."""
    from kalelite.marshal.store import Store

    return Store(Path(given.home) / "store", digest="sha256", durable=True)


def _spec(
    task: Json, values: Mapping[str, Any], path: Path, code: CodeSource, store: Store
) -> TaskSpec:
    """The filled template; an argument without a value is left to the function's default."""
    template = TaskTemplate.from_json(task["template"])
    inputs = Inputs(task, values, code, store, path.parent.parent)
    filled = {}
    for name, slot in template.arguments.items():
        one = TaskTemplate(template.task, template.step, {name: slot}, (), None)
        with suppress(AbsentError):
            filled[name] = fill(one, inputs).arguments[name]
        if name not in filled and not task.get("tolerant"):
            raise StepError(f"task {template.task!r} got no value for {name!r}")
    return TaskSpec(
        task=template.task,
        step=template.step,
        arguments=filled,
        outputs=template.outputs,
        arity=template.arity,
        attempt=_attempt(path),
        record=str(path),
    )


def _instance(task: Json, values: Mapping[str, Any]) -> str:
    """A name for this run of the task: in a loop there is one for each item."""
    name = str(task["template"]["task"])
    if not task.get("looped"):
        return name
    inputs = {port["name"]: values.get(port["name"]) for port in task["inputs"]}
    text = json.dumps(inputs, sort_keys=True).encode()
    return f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"


def _attempt(path: Path) -> int:
    """One more than the attempt whose failure lies there."""
    try:
        before = records.read(path)
    except (KaleliteError, OSError):
        return 1
    return before.attempt + 1 if before is not None and before.status == "failed" else 1


def _install(packages: tuple[str, ...]) -> None:
    """Install packages for this pod only.

    Raises
    ------
    StepError
        pip could not.
    """
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
