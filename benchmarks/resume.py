"""How long it takes to go on with a run of many items of which one is missing, and what a cache hit costs.

python benchmarks/resume.py [ITEMS]
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LOOP = """
import os
from kalelite import Collected, ParallelFor, pipeline, step

@step
def numbers(n: int) -> list:
    return list(range(n))

@step
def item(x: int) -> int:
    if x == 1 and not os.path.exists("mended"):
        raise ValueError("one")
    return x

@step
def total(xs) -> int:
    return sum(xs)

@pipeline
def main(n: int):
    with ParallelFor(numbers(n)) as x:
        y = item(x)
    return total(Collected(y))
"""
CHAIN = """
from kalelite import pipeline, step

@step(cache=True)
def add(x: int) -> int:
    return x + 1

@pipeline
def main():
    x = 0
    for _ in range(HITS):
        x = add(x)
    return x
"""
HITS = 200


def run(folder: Path, *words: str) -> float:
    """Seconds of a processor that the command takes: so that a busy machine does not count."""
    begun = cpu()
    command = [sys.executable, "-m", "kalelite", *words, "--output", "plain"]
    with (folder / "out.txt").open("w") as out:
        subprocess.run(command, cwd=folder, stdout=out, stderr=out, check=False)
    return cpu() - begun


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    items = int(sys.argv[1]) if sys.argv[1:] else 10_000
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".kalelite").mkdir()
        (folder / "loop.py").write_text(LOOP)
        print(
            f"{items} items, one of which fails: {run(folder, 'loop.py', '-p', f'n={items}'):.1f} s of a processor"
        )
        (folder / "mended").touch()
        seconds = run(folder, "resume")
        told = re.search(r"kept .*\((.*)\)", (folder / "out.txt").read_text())
        assert told is not None, (folder / "out.txt").read_text()
        print(f"going on, {told[1]} kept: {seconds:.2f} s of a processor")
        (folder / "chain.py").write_text(CHAIN.replace("HITS", str(HITS)))
        (folder / "one.py").write_text(CHAIN.replace("HITS", "1"))
        run(folder, "chain.py")
        start = min(run(folder, "one.py") for _ in range(3))
        hits = min(run(folder, "chain.py") for _ in range(3))
        print(f"a hit of the cache: {1000 * (hits - start) / (HITS - 1):.2f} ms")


if __name__ == "__main__":
    main()
