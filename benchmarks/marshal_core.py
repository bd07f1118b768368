"""How fast the marshal store is, against its peers, in one run.

    python benchmarks/marshal_core.py [--size 2000] [--rounds 3] [--folder DIR]

Each row is the median of interleaved rounds. "x write" is the time against write() of the same
bytes to a new file in the same round, "load" until the object exists, "touch" until every page was
read, against a bare mmap of the same file. Anonymous memory is that of the process, sampled.
"""

# Work that is clocked is a function that is called at once, and peers share one protocol.
# ruff: noqa: B023, ARG002
import argparse
import gc
import json
import mmap
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from kalelite.marshal import Store

try:
    import joblib
except ImportError:
    joblib = None


def clock(work):
    gc.collect()
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def anonymous():
    """Anonymous memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


class Peak:
    """Largest growth of anonymous memory within the block."""

    def __enter__(self):
        gc.collect()
        self.before = self.most = anonymous()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.stop.wait(0.002):
            self.most = max(self.most, anonymous())

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.growth = max(self.most, anonymous()) - self.before


def arrays_of(value):
    return value.values() if isinstance(value, dict) else [value]


def touch(value):
    """Read one byte of each page."""
    for array in arrays_of(value):
        array.reshape(-1).view(np.uint8)[::4096].sum()


class Bare:
    """write() and mmap of the bare bytes: the floor."""

    def save(self, value, path):
        with open(path, "wb", buffering=0) as file:
            for array in arrays_of(value):
                view = memoryview(array).cast("B")
                while view.nbytes:
                    view = view[file.write(view[: 1 << 20]) :]

    def load(self, path):
        with open(path, "rb") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


class Ours:
    def __init__(self, **settings):
        self.settings = settings

    def save(self, value, path):
        self.store = Store(path, **self.settings)
        self.reference = self.store.save(value)

    def load(self, path):
        return self.store.load(self.reference)

    def settle(self):
        self.store.settle()


class Pickle5:
    def save(self, value, path):
        with open(path, "wb") as file:
            pickle.dump(value, file, 5)

    def load(self, path):
        with open(path, "rb") as file:
            return pickle.load(file)


class Numpy:
    def __init__(self, mode=None):
        self.mode = mode

    def save(self, value, path):
        with open(path, "wb") as file:
            np.save(file, value)

    def load(self, path):
        return np.load(path, mmap_mode=self.mode)


class Joblib:
    def __init__(self, mode=None):
        self.mode = mode

    def save(self, value, path):
        joblib.dump(value, path)

    def load(self, path):
        return joblib.load(path, mmap_mode=self.mode)


def compare(title, value, peers, folder, rounds):
    rows = {name: [] for name in peers}
    for number in range(rounds):
        for name, peer in peers.items():
            path = folder / f"{name}-{number}".replace("/", "_")
            seconds, _ = clock(lambda: peer.save(value, path))
            before = anonymous()
            load, loaded = clock(lambda: peer.load(path))
            grown = anonymous() - before
            touched, _ = clock(lambda: touch(loaded))
            settle = clock(peer.settle)[0] if hasattr(peer, "settle") else 0.0
            rows[name].append((seconds, load, load + touched, settle, grown))
            loaded = None
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            os.sync()
    floor = [statistics.median(column) for column in zip(*rows["write(), mmap"], strict=True)]
    print(
        f"\n{title}\n{'':28}{'save s':>8}{'x write':>9}{'load ms':>9}{'touch x mmap':>13}{'settle ms':>10}{'anon MB':>9}"
    )
    for name, figures in rows.items():
        save, load, touched, settle, grown = (
            statistics.median(c) for c in zip(*figures, strict=True)
        )
        writes = statistics.median(
            f[0] / w[0] for f, w in zip(figures, rows["write(), mmap"], strict=True)
        )
        print(
            f"{name:28}{save:8.2f}{writes:9.2f}{load * 1e3:9.1f}{touched / floor[2]:13.2f}{settle * 1e3:10.0f}{grown:9.0f}"
        )


def small(folder, count):
    """Many small values, against a pickle file each."""
    kinds = {
        "plain": [{"i": i, "x": [i] * 3} for i in range(count)],
        "tuple": [(i, "x", {"a": (i,)}) for i in range(count)],
        "array": [np.arange(10) + i for i in range(count)],
    }
    print(
        f"\n{count:,} small values, us each\n{'':28}{'save':>8}{'load':>8}{'pickle file: save':>20}{'load':>8}"
    )
    for kind, values in kinds.items():
        store = Store(folder / f"small-{kind}")
        for value in values[:500]:
            store.load(store.save([kind, value]))
        plain = folder / f"plain-{kind}"
        plain.mkdir()
        ours, theirs = [0.0, 0.0], [0.0, 0.0]
        for start in range(0, count, 500):  # interleaved
            part = range(start, min(start + 500, count))
            seconds, references = clock(lambda: [store.save(values[i]) for i in part])
            ours[0] += seconds
            ours[1] += clock(lambda: [store.load(r) for r in references])[0]
            theirs[0] += clock(lambda: [Pickle5().save(values[i], plain / str(i)) for i in part])[0]
            theirs[1] += clock(lambda: [Pickle5().load(plain / str(i)) for i in part])[0]
        figures = [seconds / count * 1e6 for seconds in (*ours, *theirs)]
        print(f"{kind:28}{figures[0]:8.0f}{figures[1]:8.0f}{figures[2]:20.0f}{figures[3]:8.0f}")


STEP = """
import json, sys
sys.path.insert(0, sys.argv[4])
import numpy as np
from marshal_core import Peak
from kalelite.marshal import Store
store, step, count = Store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
value = np.arange(count, dtype="f8") if step == "make" else None
with Peak() as peak:
    if value is None:
        value = store.load(step)
    total = float(value[::512].sum())
    store.settle()
    reference = store.save(value)
print(json.dumps([reference, peak.growth, total]))
"""


def chain(folder, count):
    """Three steps, each a process, that hand on one array: name, anonymous MB and seconds of each.

    The last line is all of them with the driver, beside the array that the first one makes.
    """
    step, lines = "make", []
    before = anonymous()
    for name in ("make and save", "load, read, hand on", "load, read, hand on"):
        arguments = [str(folder / "chain"), step, str(count), str(Path(__file__).parent)]
        seconds, out = clock(
            lambda: subprocess.check_output([sys.executable, "-c", STEP, *arguments])
        )
        step, growth, _ = json.loads(out)
        lines.append((name, growth, seconds))
    shutil.rmtree(folder / "chain")
    total = sum(line[1] for line in lines) + anonymous() - before
    return [*lines, ("all, with the driver", total, sum(line[2] for line in lines))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2_000, help="MB of the large array")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        small(folder, options.small)
        print("\nthree steps that hand on one array: anonymous MB beside the array that is made")
        for name, growth, seconds in chain(folder, options.size * 125_000):
            print(f"{name:28}{growth:8.1f} MB {seconds:8.2f} s")
        peers = {
            "write(), mmap": Bare(),
            "kalelite": Ours(),
            "kalelite, sha256": Ours(digest="sha256"),
            "kalelite, verify before": Ours(verify="before"),
            "pickle 5": Pickle5(),
            "numpy": Numpy(),
            "numpy, mmap_mode=r": Numpy("r"),
        }
        if joblib:
            peers |= {"joblib": Joblib(), "joblib, mmap_mode=r": Joblib("r")}
        value = np.random.default_rng(0).random(options.size * 125_000)
        store = Store(folder / "memory")
        with Peak() as peak:
            store.save(value)
        print(
            f"\nsaving {options.size} MB takes {peak.growth:.1f} MB of anonymous memory at its peak"
        )
        shutil.rmtree(folder / "memory")
        compare(f"{options.size} MB of float64", value, peers, folder, options.rounds)
        value = {f"a{i}": np.random.default_rng(i).random(262_144) for i in range(50)}
        for name in ("numpy", "numpy, mmap_mode=r"):
            peers.pop(name)
        compare("dict of 50 arrays, 105 MB", value, peers, folder, options.rounds * 3)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
