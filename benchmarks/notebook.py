"""How long a notebook takes beside ``jupyter execute``: medians of interleaved runs, in one go.

    python benchmarks/notebook.py [rounds]

Goal: `kalelite notebooks/wine.ipynb` is no slower.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOOK = Path(__file__).parent.parent / "notebooks" / "wine.ipynb"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        book = shutil.copy(BOOK, folder)
        environ |= {"KALELITE_HOME": f"{folder}/home", "PYTHONPYCACHEPREFIX": f"{folder}/cache"}
        jupyter = Path(sys.executable).with_name("jupyter-execute")
        cases = {
            "jupyter execute": [str(jupyter), "--output", f"{folder}/out", book],
            "kalelite": [sys.executable, "-m", "kalelite", book],
            "kalelite -o": [sys.executable, "-m", "kalelite", book, "-o", f"{folder}/out2.ipynb"],
        }
        times = {name: [] for name in cases}
        for number in range(rounds + 1):
            for name, words in cases.items():
                start = time.perf_counter()
                subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
                if number:  # the first round compiles
                    times[name].append(time.perf_counter() - start)
    floor = statistics.median(times["jupyter execute"])
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:<18} {middle:6.2f} s   {middle / floor:5.2f} of jupyter execute")


if __name__ == "__main__":
    main()
