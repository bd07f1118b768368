"""How long `kalelite runs` takes with many runs, over the start of the command.

python benchmarks/runs.py [RUNS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from kalelite.plan.graph import Plan
from kalelite.runs.writing import create

ROUNDS = 7


def fill(home: Path, runs: int) -> None:
    """Make folders of runs that have begun one second after the other."""
    made = create(Plan("study"), {"rate": 0.1}, folder=home)
    made.finish("succeeded")
    data = json.loads((made.folder / "run.json").read_bytes())
    for number in range(1, runs):
        begun = data["started"] - number
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(begun))
        folder = home / "runs" / f"{stamp}-000{number % 65536:04x}"
        folder.mkdir()
        text = json.dumps({**data, "id": folder.name, "started": begun, "finished": begun + 1})
        (folder / "run.json").write_text(text, "utf-8")


def seconds(*words: str) -> float:
    """Seconds of a processor that the command takes: so that a busy machine does not count."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "kalelite", *words], check=True, capture_output=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def main(runs: int = 10_000) -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder) / "one", Path(folder) / "many"
        fill(one, 1)
        fill(many, runs)
        rounds = [
            (seconds("runs", "--home", str(one)), seconds("runs", "--home", str(many)))
            for _ in range(ROUNDS)
        ]
    start, whole = (median(side) for side in zip(*rounds, strict=True))
    more = median(many - one for one, many in rounds)
    print(f"kalelite runs, of 1 run            {start * 1e3:7.0f} ms")
    print(f"kalelite runs, of {runs} runs       {whole * 1e3:7.0f} ms")
    print(f"more by                            {more * 1e3:7.0f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
