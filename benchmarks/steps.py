"""What a step and a start cost: kalelite against bare processes and other runners, in one run.

    python benchmarks/steps.py                  # the whole table, three rounds
    python benchmarks/steps.py chain fan        # only these rows
    python benchmarks/steps.py --rounds 1

Rows are interleaved and medians are shown. A peer that is not installed is left out with a
sentence. Ratios are to what the same round has measured of the bare system, so that a busy
machine weighs on both: "x fork" to a bare fork of a small process, "x python" to the start of a
bare Python. Goals are for an idle machine. Everybody uses compiled modules, as installed.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plan as plans
import startup

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
N = 100


@functools.cache
def environment():
    """Variables for everybody: compiled modules are kept in a folder of this run."""
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    mine = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**mine, "PYTHONPYCACHEPREFIX": kept.name}


def fork(n=N):
    """A bare fork and wait, from a small process; ms each."""
    program = (
        "import os, time\n"
        "t = time.perf_counter()\n"
        f"for _ in range({n}):\n"
        "    pid = os.fork()\n"
        "    if pid == 0: os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        f"print((time.perf_counter() - t) / {n} * 1000)\n"
    )
    return float(_python(["-c", program]))


def bare_exec(n=20):
    """``python -c pass``; ms each."""
    begun = time.perf_counter()
    for _ in range(n):
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=environment())
    return (time.perf_counter() - begun) / n * 1000


def _python(args, **more):
    env = {**environment(), "PYTHONWARNINGS": "ignore", "METAFLOW_USER": "bench"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *args],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**env, "KALELITE_HOME": f"{folder}/home", "METAFLOW_HOME": folder},
            **more,
        )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return (done.stdout.strip().splitlines() or [""])[-1]


def program(name, *args):
    """Run one of the small programs; it prints seconds (of the run alone) or JSON."""
    return json.loads(_python([str(PEERS / f"{name}.py"), *map(str, args)]))


def whole(name, *args):
    """Seconds of a whole process."""
    begun = time.perf_counter()
    _python([str(PEERS / f"{name}.py"), *map(str, args)])
    return time.perf_counter() - begun


def start(name):
    """Milliseconds of one of the commands of ``startup.py``."""
    with tempfile.TemporaryDirectory() as folder:
        given = {**environment(), "KALELITE_HOME": f"{folder}/home"}
        return startup.once(startup.CASES[name], folder, given)[0] * 1000


def over(name):
    """Milliseconds of a command beyond those of a bare Python started just before."""
    bare = start("python -c pass")
    return start(name) - bare


def pod():
    """Milliseconds from the start of a bundle to the user's function."""
    return float(_python([str(HERE / "compile.py"), "start"]))


# row -> [(who, package that it needs, unit, goal, measure)]
ROWS = {
    "chain": [
        ("kalelite, 100 steps in a chain", "", "ms a step", 5, lambda: program("ours", "chain", N)),
        ("kfp.local, subprocess, no venv, 10", "kfp", "ms a step", 0, lambda: _kfp(10)),
        ("Metaflow, 10 steps, whole process", "metaflow", "ms a step", 0, lambda: _metaflow(10)),
        ("Luigi, 100 tasks, a process each", "luigi", "ms a step", 0, lambda: _luigi(N)),
        (
            "plain calls, a pickle file each",
            "",
            "ms a step",
            0,
            lambda: program("plain", "chain", N),
        ),
    ],
    "fan": [
        ("kalelite, 100 steps in a fan", "", "ms a step", 3, lambda: program("ours", "fan", N))
    ],
    "loop": [
        (
            "kalelite, ParallelFor of 1,000",
            "",
            "ms an item",
            5,
            lambda: program("ours", "loop", 1000),
        )
    ],
    "array": [
        ("kalelite, 5 steps hand on 100 MB", "numpy", "s in all", 1.0, lambda: whole("arrays", 5)),
        ("plain calls, numpy files", "numpy", "s in all", 0, lambda: whole("plain", "array", 5)),
    ],
    "memory": [
        ("driver of 2,000 steps", "", "MB at most", 200, lambda: program("ours", "memory", 2000))
    ],
    "plan": [("plan and check 10,000 steps", "", "ms", 1000, lambda: plans.best(plans.chain.plan))],
    "start": [
        ("import kalelite, over bare Python", "", "ms", 60, lambda: over("import kalelite")),
        ("kalelite --help", "", "ms", 250, lambda: start("kalelite --help")),
        ("kalelite hello.py", "", "ms", 400, lambda: start("kalelite hello.py")),
    ],
    "pod": [("start of a step from the bundle", "kfp", "ms", 120, pod)],
}


def _kfp(n):
    return program("kfp_local", n)


def _luigi(n):
    return program("luigi_run", n)


def _metaflow(n):
    path = PEERS / "metaflow_run.py"
    begun = time.perf_counter()
    _python([str(path), "--quiet", "run", "--max-workers", "2"], timeout=300)
    return (time.perf_counter() - begun) / n * 1000


def measure(rows, rounds):
    """Medians: of each contestant its value, and its ratio to the bare fork or start beside it."""
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for who, needs, unit, _, run in rows:
            if needs and importlib.util.find_spec(needs) is None:
                continue
            bare = fork() if unit.startswith("ms a") else bare_exec(5)
            value = run()
            milliseconds = value * 1000 if unit.startswith("s") else value
            found.setdefault(who, []).append((value, milliseconds / bare))
    return {
        who: tuple(statistics.median(column) for column in zip(*pairs, strict=True))
        for who, pairs in found.items()
    }


def main():
    words = sys.argv[1:]
    rounds = 3
    if "--rounds" in words:
        at = words.index("--rounds")
        rounds = int(words[at + 1])
        del words[at : at + 2]
    bare_exec(1)  # compiles nothing, but warms the files
    rows = [
        ("bare fork and wait", "", "ms a step", 0, fork),
        ("bare python -c pass", "", "ms", 0, bare_exec),
        *(row for word in words or ROWS for row in ROWS[word]),
    ]
    for name in startup.CASES:
        start(name)  # the first start compiles
    found = measure(rows, rounds)
    for who, needs, unit, goal, _ in rows:
        if who not in found:
            print(f"{who}: left out; pip install {needs} to compare with it")
            continue
        value, ratio = found[who]
        beside = "fork" if unit.startswith("ms a") else "python"
        against = "" if unit.startswith("MB") else f"{ratio:7.1f} x {beside}"
        words = f"goal {goal:g}" if goal else ""
        print(f"{who:36} {value:9.2f} {unit:11} {against:18} {words}".rstrip())


if __name__ == "__main__":
    main()
