"""How long the command takes to start: medians of interleaved runs, in one go.

    python benchmarks/startup.py [rounds]

Goals: ``import kalelite`` 60 ms over bare Python, ``--help`` 250 ms, hello.py 400 ms in all.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELLO = Path(__file__).parent.parent / "tests" / "cli" / "scripts" / "hello.py"
CASES = {
    "python -c pass": ["-c", "pass"],
    "import kalelite": ["-c", "import kalelite"],
    "from kalelite import step, pipeline": ["-c", "from kalelite import step, pipeline"],
    "kalelite --help": ["-m", "kalelite", "--help"],
    "kalelite check hello.py": ["-m", "kalelite", "check", str(HELLO)],
    "kalelite hello.py": ["-m", "kalelite", str(HELLO)],
    "kalelite hello.py --debug": ["-m", "kalelite", str(HELLO), "--debug"],
}


def once(words, folder, environ):
    """Wall and processor seconds; the processor's are those of all processes that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, *words]
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environ |= {
            "KALELITE_HOME": f"{folder}/home",
            "PYTHONPYCACHEPREFIX": f"{folder}/cache",  # compiled modules are used, as installed
        }
        times = {name: [] for name in CASES}
        for number in range(rounds + 1):
            for name, words in CASES.items():
                seconds = once(words, folder, environ)
                if number:  # the first round compiles
                    times[name].append(seconds)
    bare = statistics.median(wall for wall, _ in times["python -c pass"])
    print(f"{'milliseconds':<36} median    least   over bare Python   processor")
    for name, seconds in times.items():
        walls = [wall for wall, _ in seconds]
        middle = statistics.median(walls)
        processor = statistics.median(cpu for _, cpu in seconds)
        print(
            f"{name:<36} {middle * 1e3:6.0f} {min(walls) * 1e3:8.0f}"
            f" {(middle - bare) * 1e3:18.0f} {processor * 1e3:11.0f}"
        )


if __name__ == "__main__":
    main()
