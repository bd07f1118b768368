"""What a step costs: kalelite against bare processes and other runners, in one run.

    python benchmarks/steps.py                  # every row, three rounds
    python benchmarks/steps.py chain fan        # only these
    python benchmarks/steps.py --rounds 1

Rows are interleaved and medians are shown. A peer that is not installed is left out with a
sentence. "x fork" is the ratio to a bare fork of a small process, measured in the same round,
so that a busy machine weighs on both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
N = 100


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
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - begun) / n * 1000


def _python(args, **more):
    env = {**os.environ, "PYTHONWARNINGS": "ignore", "METAFLOW_USER": "bench"}
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


# row -> [(who, package that it needs, unit, measure)]
ROWS = {
    "chain": [
        ("kalelite, 100 steps in a chain", "", "ms a step", lambda: program("ours", "chain", N)),
        (
            "kfp.local, subprocess, no venv, 10",
            "kfp",
            "ms a step",
            lambda: program("kfp_local", 10),
        ),
        ("Metaflow, 10 steps, whole process", "metaflow", "ms a step", lambda: _metaflow(10)),
        (
            "Luigi, 100 tasks, one process each",
            "luigi",
            "ms a step",
            lambda: program("luigi_run", N),
        ),
        (
            "plain calls with a pickle file each",
            "",
            "ms a step",
            lambda: program("plain", "chain", N),
        ),
    ],
    "fan": [("kalelite, 100 steps in a fan", "", "ms a step", lambda: program("ours", "fan", N))],
    "loop": [
        (
            "kalelite, ParallelFor of 1,000 items",
            "",
            "ms an item",
            lambda: program("ours", "loop", 1000),
        )
    ],
    "array": [
        ("kalelite, 5 steps hand on 100 MB", "", "s in all", lambda: whole("arrays", 5)),
        ("plain calls, numpy files", "", "s in all", lambda: whole("plain", "array", 5)),
    ],
    "memory": [
        (
            "kalelite, driver of 2,000 steps",
            "",
            "MB at most",
            lambda: program("ours", "memory", 2000),
        )
    ],
}


def _metaflow(n):
    path = PEERS / "metaflow_run.py"
    begun = time.perf_counter()
    _python([str(path), "--quiet", "run", "--max-workers", "2"], timeout=300)
    return (time.perf_counter() - begun) / n * 1000


def main():
    words = sys.argv[1:]
    rounds = 3
    if "--rounds" in words:
        at = words.index("--rounds")
        rounds = int(words[at + 1])
        del words[at : at + 2]
    found: dict[str, list[float]] = {"fork": [], "exec": []}
    units, absent = {}, set()
    for _ in range(rounds):
        found["fork"].append(fork())
        found["exec"].append(bare_exec())
        for row in words or ROWS:
            for who, needs, unit, measure in ROWS[row]:
                if needs and importlib.util.find_spec(needs) is None:
                    absent.add(f"{who}: left out; pip install {needs} to compare with it")
                    continue
                found.setdefault(who, []).append(measure())
                units[who] = unit
    bare = statistics.median(found["fork"])
    print(f"{'bare fork and wait':40} {bare:9.2f} ms")
    print(f"{'bare python -c pass':40} {statistics.median(found['exec']):9.2f} ms")
    for who, unit in units.items():
        value = statistics.median(found[who])
        ratio = f"{value / bare:8.1f} x fork" if unit.startswith("ms") else ""
        print(f"{who:40} {value:9.2f} {unit:12} {ratio}")
    print(*sorted(absent), sep="\n")


if __name__ == "__main__":
    main()
