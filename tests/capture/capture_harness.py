"""Runs a small program as a chain of steps, each in a process of its own.

`drive` is called at the end of the program, as its ``__main__``: it captures the functions
``one``, ``two``, ``three``, … and then calls them plainly. `walk` runs the captured ones. Both
give the ``repr`` of the last result.
"""

import inspect
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ORDER = ("one", "two", "three", "four", "five")
HERE = Path(__file__).parent


def steps_of(names):
    from kalelite.plan.graph import Plan, StepDef, Task

    tasks = []
    for function in names:
        step = StepDef(function.__name__, function, inspect.signature(function))
        tasks.append(Task(function.__name__, step, {}, ()))
    return Plan("program", tasks=tuple(tasks))


def drive(names):
    from kalelite.capture.code import capture
    from kalelite.capture.rebuild import plain

    functions = [plain(names[name]) for name in ORDER if name in names]
    folder = Path(sys.argv[1])
    code = capture(steps_of(functions))
    code.write(folder / "code")
    value = None
    for index, function in enumerate(functions):
        value = function(value) if index else function()
    fingerprints = {key: code.fingerprint(key).digest for key in code.steps}
    result = {"repr": repr(value), "keys": list(code.steps), "fingerprints": fingerprints}
    (folder / "plain.json").write_text(json.dumps(result))


def walk(folder):
    """Each captured step in a forked child; this process never loads user code."""
    from kalelite.capture.load import CodeFolder
    from kalelite.executor.execute import execute
    from kalelite.executor.record_file import read
    from kalelite.executor.spec import OutputSpec, TaskSpec
    from kalelite.marshal import Store

    folder = Path(folder)
    keys = json.loads((folder / "plain.json").read_text())["keys"]
    arguments = {}
    for key in keys:
        path = folder / f"{key}.json"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                source = CodeFolder(folder / "code")
                function = source.function(key)
                given = dict(zip(inspect.signature(function).parameters, arguments.values()))
                spec = TaskSpec(key, key, given, (OutputSpec("value"),), record=str(path))
                execute(spec, source, Store(folder / "store"))
                value = execute_repr(source, spec, folder)
                (folder / "steps.json").write_text(json.dumps(value))
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        record = read(path)
        if record.failure:
            print(record.failure.traceback or record.failure.message, file=sys.stderr)
            raise SystemExit(1)
        arguments = {"value": {"ref": record.outputs["value"]["ref"]}}


def execute_repr(source, spec, folder):
    from kalelite.executor.record_file import read
    from kalelite.marshal import Store

    record = read(spec.record)
    if record.failure:
        return ""
    return repr(Store(folder / "store").load(record.outputs["value"]["ref"]))


def serve():
    """Walk the folders that come in by line, each in a forked child; answer with its exit code."""
    from kalelite.capture import load  # noqa: F401 - warm, as the fork server of a run is
    from kalelite.marshal import Store  # noqa: F401

    for line in sys.stdin:
        folder = line.strip()
        child = os.fork()
        if child == 0:
            with open(f"{folder}/log.txt", "wb") as log:
                os.dup2(log.fileno(), 2)
            try:
                walk(folder)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)


class Walker:
    """The process that walks captured programs."""

    def __init__(self):
        boot = f"import sys; sys.path.append({str(HERE)!r}); import capture_harness as c; c.serve()"
        command = [sys.executable, "-c", boot]
        self.process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)

    def walk(self, folder):
        print(folder, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        assert answer == "0", (folder / "log.txt").read_text()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def run_program(walker, folder, text, files=(), hash_seed="0"):
    """Write and run a program; its plain result, and that of its steps."""
    source = folder / "src"
    source.mkdir(exist_ok=True)
    for name, content in dict(files).items():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    drive_it = (
        "\nif __name__ == '__main__':\n"
        f"    import sys; sys.path.append({str(HERE)!r})\n"
        "    import capture_harness; capture_harness.drive(globals())\n"
    )
    script = source / "program.py"
    script.write_text(text + drive_it)
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    _run([sys.executable, str(script), str(folder)], env, source)
    for target in source.rglob("*.py"):
        target.unlink()
    walker.walk(folder)
    plain = json.loads((folder / "plain.json").read_text())
    return plain["repr"], json.loads((folder / "steps.json").read_text())


def _run(command, env, cwd):
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
