"""What a clone of a workspace costs, beside `cp -a`, in one run: 20,000 small files and 2 GB.

    python benchmarks/isolate.py                 # in a temporary folder
    python benchmarks/isolate.py --in FOLDER     # on the filesystem of FOLDER

Rounds are interleaved, and the disk is synced before each, outside of the time. The CPU time counts
most on a busy machine. `cp -a` shares blocks (`--reflink=auto`) where the clone does, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from kalelite.volumes.folder_clone import clone_folder


def workspace(folder: Path) -> Path:
    """20,000 files of up to 5 kB, and four of 500 MB."""
    source = folder / "source"
    for number in range(20_000):
        place = source / f"folder{number // 100}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number}.txt").write_bytes(os.urandom(50) * (number % 100))
    for number in range(4):
        with (source / f"large{number}").open("wb") as file:
            for _ in range(500):
                file.write(os.urandom(1_000) * 1_000)
    return source


def timed(work, *arguments):
    """Seconds, and seconds of CPU, of this process and its children."""
    os.sync()
    before, begun = cpu(), time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun, cpu() - before


def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def copied(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--in", dest="folder", help="where to work (default: a temporary folder)")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    times = {"cp -a": [], "clone": []}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        source = workspace(Path(folder))
        target = Path(folder) / "target"
        for _ in range(given.rounds):
            for name, work in (("cp -a", copied), ("clone", clone_folder)):
                times[name].append(timed(work, str(source), str(target)))
                shutil.rmtree(target)
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in times.items()
    }
    for name, (wall, used) in medians.items():
        print(f"{name:<6} {wall:6.2f} s  {used:6.2f} s of CPU")
    wall, used = (
        mine / theirs for mine, theirs in zip(medians["clone"], medians["cp -a"], strict=True)
    )
    print(f"the clone takes {wall:.2f} x of the time of cp -a, and {used:.2f} x of its CPU time")


if __name__ == "__main__":
    main()
