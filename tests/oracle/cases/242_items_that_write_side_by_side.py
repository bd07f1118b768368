"""Items of a loop, and branches beside it, write the same relative names in many ways, twice over.

Right: each finds what it wrote itself, and the folder holds the last item's files in the end. What
is appended to is whole.
"""
# /// case
# ways = ["local", "debug"]
# files = ["model.txt", "log.txt", "swap.txt", "out/best.txt", "run.log", "old.txt", "moved/x"]
# [[run]]
# write = { "old.txt" = "old", "data.csv" = "1,2", "tree/x" = "x" }
# lines = ["RESULT ['1 best 1 swap 1', '2 best 2 swap 2', '3 best 3 swap 3'] side 3 model", "RESULT ['line 1', 'line 2', 'line 3'] ['model 3', 'swap 3', 'best 3', 'again 3']"]
# [[run]]
# write = { "old.txt" = "old", "tree/x" = "x", "log.txt" = "" }
# remove = ["moved"]
# lines = ["RESULT ['1 best 1 swap 1', '2 best 2 swap 2', '3 best 3 swap 3'] side 3 model", "RESULT ['line 1', 'line 2', 'line 3'] ['model 3', 'swap 3', 'best 3', 'again 3']"]
# ///
import logging
import os
import shutil
import time
from pathlib import Path

from kalelite import Collected, ParallelFor, pipeline, step


@step
def train(i):
    assert Path("data.csv").read_text() == "1,2"
    model = Path("model.txt")
    model.write_text(f"model {i}")
    os.makedirs("out", exist_ok=True)
    Path("out/best.txt").write_text(f"best {i}")
    with open("log.txt", "a") as file:
        file.write(f"line {i}\n")
    Path("swap.tmp").write_text(f"swap {i}")
    os.replace("swap.tmp", Path("swap.txt").absolute())
    handler = logging.FileHandler("run.log", "w")
    handler.emit(logging.makeLogRecord({"msg": f"run {i}"}))
    if os.path.exists("old.txt"):
        os.remove("old.txt")
    if Path("tree").exists():
        shutil.move("tree", "moved")
    time.sleep(0.2 * (4 - i))
    with open("model.txt", "r+") as file:
        assert file.read() == f"model {i}"
    (model.parent / "again.txt").write_text(f"again {i}")
    return f"{i} {Path('out/best.txt').read_text()} {Path('swap.txt').read_text()}", Path("out")


@step
def side():
    Path("side.txt").write_text("side")
    return Path("side.txt")


@step
def read(texts, outs, side):
    best = [out.joinpath("best.txt").read_text() for out in outs]
    return f"{texts} {side.read_text()} {len(best)} {Path('model.txt').read_text()[:5]}"


@pipeline
def flow():
    with ParallelFor([1, 2, 3]) as i:
        text, out = train(i)
    return read(Collected(text), Collected(out), side())


if __name__ == "__main__":
    print("RESULT", flow())
    names = ["model.txt", "swap.txt", "out/best.txt", "again.txt"]
    print("RESULT", sorted(Path("log.txt").read_text().split("\n")[:-1]), [Path(n).read_text() for n in names])
    assert not Path("old.txt").exists() and Path("moved/x").read_text() == "x"
