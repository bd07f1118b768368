"""How long compiling takes, beside kfp alone, and how long a step takes to start from the bundle.

    python benchmarks/compile.py
    python benchmarks/compile.py start     # the start alone: the median, in milliseconds

Every time is the best of several in one run; "x kfp" is against the same graph written by hand
with kfp's own functions, traced and written by kfp's own compiler.
"""

from __future__ import annotations

import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kalelite import pipeline, step
from kalelite.backends.kubeflow.compile.build import compile_plan

GOALS = {"x kfp": 1.1, "script": 2.0, "start": 0.120}


@step
def work(x):
    return x + 1


def chain(count):
    @pipeline(name=f"chain-{count}")
    def steps(x: int = 1):
        for _ in range(count):
            x = work(x)

    return steps.plan()


def by_hand(count):
    """The same graph with kfp alone: the same containers, parameters and mounts."""
    from kfp import dsl, kubernetes

    def component(name, inputs, args):
        def container(*_):
            return dsl.ContainerSpec(
                image="python:3.11", command=["python3", "/m/x.pyz"], args=args
            )

        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(n, kind, annotation=t) for n, t in inputs.items()]
        parameters.append(inspect.Parameter("output", kind, annotation=dsl.OutputPath(str)))
        container.__signature__ = inspect.Signature(parameters)
        container.__name__ = name
        return dsl.container_component(container)

    def steps(x: int = 1):
        value, kind = x, int
        for number in range(count):
            args = ["run", "--task", f"work-{number}", "--home", "/m/.kalelite"]
            args += ["--executor-input", dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER]
            made = component(f"work_{number}", {"run": str, "x": kind}, args)
            task = made(run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, x=value)
            task.set_caching_options(False)
            kubernetes.mount_pvc(
                task, pvc_name=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER, mount_path="/m"
            )
            value, kind = task.outputs["output"], str

    steps.__annotations__["x"] = int
    return dsl.pipeline(name="chain")(steps)


def best(function, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def compile_times(folder, count, rounds):
    """Seconds of kalelite (from the plan to the file) and of kfp, taken in turns."""
    from kfp import compiler

    ours, theirs = [], []
    path = str(folder / "kfp.yaml")
    for _ in range(rounds):
        ours.append(best(lambda: compile_plan(chain(count), folder / "kalelite.yaml"), 1))
        theirs.append(best(lambda: compiler.Compiler().compile(by_hand(count), path), 1))
    return min(ours), min(theirs)


def script_time(folder):
    """Seconds of ``python -m kalelite script.py --kfp --compile`` with ten steps, and of kfp's import."""
    script = folder / "script.py"
    lines = ["from kalelite import pipeline, step", "@step", "def work(x): return x + 1"]
    lines += ["@pipeline", "def main(x: int = 1):", *["    x = work(x)"] * 10]
    script.write_text("\n".join(lines))
    command = [sys.executable, "-m", "kalelite", str(script), "--kfp", "--compile"]
    environment = {**os.environ, "KALELITE_HOME": str(folder / "home")}

    def run():
        subprocess.run(
            [*command, str(folder / "script.yaml")],
            check=True,
            capture_output=True,
            env=environment,
        )

    imports = [sys.executable, "-c", "import kfp"]
    return best(run, 5), best(lambda: subprocess.run(imports, check=True), 5)


def start_time(folder):
    """Seconds from starting Python to the first line of the user's function, and of bare Python."""

    @step
    def first(_run=None):
        import time

        print("STARTED", time.time())
        return 0

    @pipeline(name="start")
    def one():
        first()

    compiled = compile_plan(one.plan(), folder / "start.yaml")
    bundle = folder / "bundle.pyz"
    bundle.write_bytes(compiled.bundle)
    output = folder / "output"
    component = compiled.pipeline["components"]["comp-first"]
    names = component.get("outputDefinitions", {}).get("parameters", {})
    received = {
        "inputs": {"parameterValues": {"run": "r"}},
        "outputs": {"parameters": {name: {"outputFile": str(output)} for name in names}},
    }
    empty = folder / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
    python = str(empty / "bin" / "python3")
    command = [python, "-I", str(bundle), "run", "--task", "first"]
    command += ["--executor-input", json.dumps(received)]
    times, bare = [], []
    for number in range(15):
        home = [
            "--home",
            str(folder / f"volume-{number}"),
        ]  # a step that has ended is not run again
        begun = time.time()
        done = subprocess.run([*command, *home], check=True, capture_output=True, text=True)
        times.append(float(done.stdout.split("STARTED")[1].split()[0]) - begun)
        bare.append(best(lambda: subprocess.run([python, "-I", "-c", "pass"], check=True), 1))
    return times, bare, len(compiled.bundle)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sys.argv[1:] == ["start"]:
            print(statistics.median(start_time(folder)[0]) * 1000)
            return
        print(f"{'compile':<28}{'kalelite s':>11}{'kfp s':>9}{'x kfp':>8}{'goal':>7}")
        for count, rounds in ((10, 9), (100, 5)):
            ours, theirs = compile_times(folder, count, rounds)
            print(
                f"{f'{count} steps':<28}{ours:>11.3f}{theirs:>9.3f}{ours / theirs:>8.2f}{GOALS['x kfp']:>7}"
            )
        script, imports = script_time(folder)
        print(
            f"{'10-step script, --compile':<28}{script:>11.2f}   goal {GOALS['script']} s; import kfp {imports:.2f} s"
        )
        times, bare, size = start_time(folder)
        print(
            f"{'start of a step':<28}{min(times) * 1000:>8.0f} ms   goal {GOALS['start'] * 1000:.0f} ms; "
            f"median {statistics.median(times) * 1000:.0f} ms, bare python {min(bare) * 1000:.0f} ms, "
            f"bundle {size} bytes"
        )


if __name__ == "__main__":
    main()
