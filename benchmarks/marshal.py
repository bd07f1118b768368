"""Saving and loading of typical step results, beside what others do, in one run.

    python benchmarks/marshal.py [--rounds 5] [--folder DIR] [--gigabytes 2] [--only PAYLOAD ...]

Every contender writes one file and reads it back; the contenders of a payload take turns, and the
table gives medians, so that a busy machine is busy for all of them. kalelite is its store, with
the digest that it computes while writing; the verification of that digest goes on while a step
runs, so it is awaited after the clock is stopped. "x pickle" is save + load against pickle 5;
"x write" is save against write() of as many bytes to a new file. What a disk and the kernel cost
anybody stands in the table as a peer: "write(), mmap" for one file, "write + rename" for many.
"goals" holds kalelite's figures of this run against what the project wants, as figure <= goal.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import mmap
import os
import pickle
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalelite.marshal import Store


def has(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)


@dataclass
class Contender:
    """How someone saves a value under a path and loads it; `after` is not timed."""

    name: str
    save: Callable[[Any, Path], Any]
    load: Callable[[Path, Any], Any]
    after: Callable[[], None] = lambda: None


@dataclass
class Payload:
    name: str
    make: Callable[[], Any]
    peers: list[Contender] = field(default_factory=list)
    touch: Callable[[Any], Any] | None = None
    many: bool = False
    goals: dict[str, float] = field(default_factory=dict)


# --- contenders -----------------------------------------------------------------------------


def kalelite(folder: Path) -> Contender:
    store = Store(folder / "store")
    return Contender(
        "kalelite", lambda v, _: store.save(v), lambda _, r: store.load(r), store.settle
    )


def dumped(name: str, dump: Callable[[Any, Any], Any], load: Callable[[Any], Any]) -> Contender:
    def save(value: Any, path: Path) -> None:
        with path.open("wb") as file:
            dump(value, file)

    def read(path: Path, _: Any) -> Any:
        with path.open("rb") as file:
            return load(file)

    return Contender(name, save, read)


def pickle5() -> Contender:
    return dumped("pickle 5", lambda v, f: pickle.dump(v, f, 5), pickle.load)


def cloud() -> list[Contender]:
    if not has("cloudpickle"):
        return []
    import cloudpickle

    return [dumped("cloudpickle", lambda v, f: cloudpickle.dump(v, f, 5), pickle.load)]


def bare() -> Contender:
    """The bytes of an array and no more: the floor."""
    import numpy as np

    def save(value: Any, path: Path) -> None:
        view = memoryview(value).cast("B")
        with path.open("wb", buffering=0) as file:
            while view.nbytes:
                view = view[file.write(view[: 1 << 20]) :]

    def load(path: Path, _: Any) -> Any:
        with path.open("rb") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))

    return Contender("write(), mmap", save, load)


def renamed() -> Contender:
    """A file that appears whole or not at all, for each value: the floor of any store."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL

    def save(value: Any, path: Path) -> None:
        data = pickle.dumps(value, 5)
        temporary = f"{path}.new"
        fd = os.open(temporary, flags)
        os.write(fd, data)
        os.close(fd)
        os.replace(temporary, path)

    def load(path: Path, _: Any) -> Any:
        return pickle.loads(path.read_bytes())

    return Contender("write + rename", save, load)


def joblibs(mapped: bool = False) -> list[Contender]:
    if not has("joblib"):
        return []
    import joblib

    plain = Contender("joblib", joblib.dump, lambda p, _: joblib.load(p))
    read_only = Contender(
        "joblib, mapped read-only", joblib.dump, lambda p, _: joblib.load(p, mmap_mode="r")
    )
    return [plain, read_only] if mapped else [plain]


def numpys() -> list[Contender]:
    import numpy as np

    def save(value: Any, path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, value)

    return [
        Contender("numpy.save", save, lambda p, _: np.load(p)),
        Contender("numpy.save, mapped", save, lambda p, _: np.load(p, mmap_mode="c")),
    ]


def feather() -> list[Contender]:
    if not has("pyarrow", "pandas"):
        return []
    import pandas as pd
    from pyarrow import feather as arrow

    def save(value: Any, path: Path) -> None:
        arrow.write_feather(value, str(path), compression="uncompressed")

    return [
        Contender(
            "feather", save, lambda p, _: pd.DataFrame(arrow.read_feather(p, memory_map=True))
        )
    ]


def torches() -> list[Contender]:
    import torch

    found = [
        Contender("torch.save", torch.save, lambda p, _: torch.load(p)),
        Contender("torch.save, mapped", torch.save, lambda p, _: torch.load(p, mmap=True)),
    ]
    if has("safetensors"):
        from safetensors import torch as safe

        found.append(Contender("safetensors", safe.save_file, lambda p, _: safe.load_file(p)))
    return found


def ipc() -> list[Contender]:
    import pyarrow as pa

    def save(value: Any, path: Path) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, value.schema) as writer:
            writer.write_table(value)

    return [
        Contender(
            "Arrow IPC, mapped",
            save,
            lambda p, _: pa.ipc.open_file(pa.memory_map(str(p))).read_all(),
        )
    ]


def polars_ipc() -> list[Contender]:
    import polars as pl

    return [Contender("polars IPC", lambda v, p: v.write_ipc(p), lambda p, _: pl.read_ipc(p))]


# --- payloads -------------------------------------------------------------------------------


def array(gigabytes: float) -> Any:
    import numpy as np

    return np.random.default_rng(0).random(int(gigabytes * 1e9) // 8)


def arrays() -> Any:
    import numpy as np

    generator = np.random.default_rng(0)
    return {f"a{i}": generator.random(250_000) for i in range(50)}


def mixed_frame(rows: int = 1_000_000) -> Any:
    import numpy as np
    import pandas as pd

    g = np.random.default_rng(0)
    columns: dict[str, Any] = {f"float{i}": g.normal(size=rows) for i in range(8)}
    columns |= {f"int{i}": g.integers(0, 1000, rows) for i in range(5)}
    columns |= {
        "bool": g.random(rows) > 0.5,
        "when": pd.Timestamp("2024") + pd.to_timedelta(np.arange(rows), unit="s"),
        "kind": pd.Categorical.from_codes(g.integers(0, 3, rows), ["a", "b", "c"]),
        "float32": g.normal(size=rows).astype("f4"),
        "int8": g.integers(0, 100, rows).astype("i1"),
        "Int64": pd.array(g.integers(0, 100, rows), dtype="Int64"),
        "name": pd.Series(
            np.array([f"k{i}" for i in range(500)])[g.integers(0, 500, rows)], dtype=object
        ),
    }
    return pd.DataFrame(columns)


def text_frame(rows: int = 1_000_000) -> Any:
    import numpy as np
    import pandas as pd

    g = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"], dtype=object)
    names = np.array([f"customer {i:06d}" for i in range(50_000)], dtype=object)
    columns = {
        "id": [f"{i:032x}" for i in range(rows)],
        "mail": [f"user{i}@example.org" for i in g.integers(0, 10**9, rows)],
        "country": np.array(["DE", "FR", "IT", "PL"], dtype=object)[g.integers(0, 4, rows)],
        "customer": names[g.integers(0, 50_000, rows)],
        "note": [" ".join(pick) for pick in words[g.integers(0, 6, (rows, 4))]],
        "status": np.array(["open", None, "closed"], dtype=object)[g.integers(0, 3, rows)],
    }
    return pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in columns.items()})


def sparse() -> Any:
    import numpy as np
    from scipy import sparse as sp

    return sp.random_array(
        (100_000, 10_000), density=0.0083, format="csr", rng=np.random.default_rng(0)
    )


def forest() -> Any:
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    g = np.random.default_rng(0)
    x = g.normal(size=(8_000, 20))
    y = (x[:, 0] + g.normal(size=8_000) > 0).astype(int)
    return RandomForestClassifier(100, random_state=0, n_jobs=1).fit(x, y)


def state() -> Any:
    import torch

    return {f"layer{i}.weight": torch.randn(1000, 1000) for i in range(100)}


def polars_frame() -> Any:
    import polars as pl

    return pl.from_pandas(mixed_frame())


def table() -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(text_frame())


def small() -> Any:
    return [{"step": i, "loss": i / 7, "name": f"run {i}"} for i in range(10_000)]


def payloads(gigabytes: float) -> list[Payload]:
    found = [
        Payload(
            f"float64 array, {gigabytes:g} GB",
            lambda: array(gigabytes),
            [bare(), *numpys(), *joblibs(mapped=True)],
            touch=lambda a: a[::512].sum(),
            goals={"load": 10, "touch": 1.3, "write": 1.2, "peak": 32},
        ),
        Payload(
            "dict of 50 arrays, 100 MB",
            arrays,
            joblibs(mapped=True),
            goals={"load": 2, "write": 1.2},
        ),
        Payload(
            "10,000 small dicts", small, [renamed()], many=True, goals={"each": 100, "rename": 1.2}
        ),
    ]
    if has("pandas"):
        found += [
            Payload(
                "DataFrame 1e6 x 20, mixed",
                mixed_frame,
                [*cloud(), *joblibs(), *feather()],
                goals={"pickle": 0.5},
            ),
            Payload(
                "DataFrame 1e6 x 6, object strings",
                text_frame,
                [*cloud(), *joblibs(), *feather()],
                goals={"pickle": 0.35},
            ),
        ]
    if has("scipy"):
        found.append(Payload("scipy CSR, 100 MB", sparse, joblibs(mapped=True)))
    if has("sklearn"):
        found.append(
            Payload(
                "random forest, 100 trees", forest, [*cloud(), *joblibs()], goals={"pickle": 1.2}
            )
        )
    if has("torch"):
        found.append(Payload("torch state dict, 400 MB", state, torches(), goals={"load": 20}))
    if has("polars", "pyarrow", "pandas"):
        found.append(Payload("polars 1e6 x 20, mixed", polars_frame, polars_ipc()))
    if has("pyarrow", "pandas"):
        found.append(Payload("pyarrow 1e6 x 6, text", table, ipc()))
    return found


# --- measuring ------------------------------------------------------------------------------


class Peak:
    """The most anonymous memory that is taken meanwhile, in MB, sampled."""

    def __enter__(self) -> Peak:  # noqa: PYI034 - Self needs Python 3.11
        gc.collect()
        self.start = self.most = self._anonymous()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.megabytes = (self.most - self.start) / 1000

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.most = max(self.most, self._anonymous())

    @staticmethod
    def _anonymous() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        return 0


typical: Callable[[Any], float] = statistics.median


def clock(action: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    started = time.perf_counter()
    result = action()
    return (time.perf_counter() - started) * 1000, result


def written(size: int, path: Path) -> float:
    """write() of as many bytes, in pieces as large as a cache likes, in ms."""
    piece = memoryview(os.urandom(1 << 20))
    started = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        left = size
        while left > 0:
            left -= file.write(piece[: min(left, len(piece))])
    taken = (time.perf_counter() - started) * 1000
    path.unlink()
    return taken


def one(
    value: Any, contender: Contender, path: Path, payload: Payload
) -> tuple[float, float, float, int]:
    if payload.many:
        saved, keys = clock(lambda: [contender.save(v, path / str(i)) for i, v in enumerate(value)])
        loaded, back = clock(lambda: [contender.load(path / str(i), k) for i, k in enumerate(keys)])
        assert back == value, contender.name
        contender.after()
        return saved, loaded, 0.0, 0
    saved, key = clock(lambda: contender.save(value, path / "value"))
    size = sum(p.stat().st_size for p in path.parent.rglob("*") if p.is_file())
    loaded, back = clock(lambda: contender.load(path / "value", key))
    touched = clock(lambda value=back: payload.touch(value))[0] if payload.touch else 0.0
    contender.after()
    return saved, loaded, touched, size


def measure(payload: Payload, folder: Path, rounds: int) -> list[str]:
    value = payload.make()
    made: list[tuple[str, Callable[[Path], Contender]]] = [("kalelite", kalelite)]
    made += [(peer.name, lambda _, peer=peer: peer) for peer in [pickle5(), *payload.peers]]
    times: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name, _ in made}
    floors = []
    for round_ in range(rounds + 1):
        for name, make in made:
            here = Path(tempfile.mkdtemp(dir=folder))
            (here / "files").mkdir()
            result = one(value, make(here), here / "files", payload)
            shutil.rmtree(here)
            if round_:  # the first round warms up
                times[name].append(result)
        if round_ and not payload.many:
            floors.append(written(times["kalelite"][-1][3], folder / "floor"))
    here = Path(tempfile.mkdtemp(dir=folder))
    with Peak() as saving:
        contender = kalelite(here)
        key = (
            [contender.save(v, here) for v in value]
            if payload.many
            else contender.save(value, here)
        )
    with Peak() as loading:
        back = [contender.load(here, k) for k in key] if payload.many else contender.load(here, key)
    contender.after()
    del back
    shutil.rmtree(here)
    return table_of(payload, times, floors, (saving.megabytes, loading.megabytes))


def table_of(
    payload: Payload, times: Any, floors: list[float], peaks: tuple[float, float]
) -> list[str]:
    def middle(name: str, column: int) -> float:
        return typical(row[column] for row in times[name])

    base = middle("pickle 5", 0) + middle("pickle 5", 1)
    floor = typical(floors) if floors else 0.0
    lines = []
    for name in times:
        saved, loaded, touched = (middle(name, column) for column in range(3))
        unit = "us each" if payload.many else "ms"
        scale = 1000 / 10_000 if payload.many else 1.0
        cells = [payload.name if name == "kalelite" else "", name]
        cells += [f"{saved * scale:.1f} {unit}", f"{loaded * scale:.1f} {unit}"]
        cells += [f"{touched:.0f} ms" if payload.touch else ""]
        cells += [f"{(saved + loaded) / base:.2f}", f"{saved / floor:.2f}" if floor else ""]
        cells += [f"{peaks[0]:.0f} / {peaks[1]:.0f} MB" if name == "kalelite" else ""]
        figures = {
            "load": (loaded, " ms to load"),
            "touch": (
                touched / (middle("write(), mmap", 2) or 1) if payload.touch else 0,
                " x mmap",
            ),
            "write": (saved / (floor or 1), " x write"),
            "pickle": ((saved + loaded) / base, " x pickle"),
            "peak": (max(peaks), " MB"),
            "each": (max(saved, loaded) * scale, " us each"),
            "rename": (
                saved / middle("write + rename", 0) if "write + rename" in times else 0,
                " x write + rename",
            ),
        }
        goals = payload.goals if name == "kalelite" else {}
        cells.append(", ".join(verdict(*figures[key], goal) for key, goal in goals.items()))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def verdict(figure: float, unit: str, goal: float) -> str:
    """A figure against its goal."""
    return f"{figure:.3g}{unit} {'<=' if figure <= goal else '**>**'} {goal:g}"


def handed_on(gigabytes: float, folder: Path) -> str:
    """Three steps, each a process, that hand on one array: what memory they add."""
    from marshal_core import chain

    *_, (_, megabytes, seconds) = chain(folder, int(gigabytes * 1e9) // 8)
    cells = [f"three steps hand on {gigabytes:g} GB", "kalelite", f"{seconds * 1000:.0f} ms in all"]
    cells += ["", "", "", "", f"{megabytes:.0f} MB", verdict(megabytes, " MB", 64)]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where to write")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--best", action="store_true", help="the best round, not the median")
    parser.add_argument("--only", nargs="*", default=[], help="payloads whose name contains this")
    chosen = parser.parse_args()
    if chosen.best:
        global typical  # noqa: PLW0603 - how a script is set
        typical = min
    print(
        "| payload | who | save | load | touch | x pickle | x write | anonymous, save / load | goals |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for payload in payloads(chosen.gigabytes):
            if not chosen.only or any(word in payload.name for word in chosen.only):
                print("\n".join(measure(payload, Path(folder), chosen.rounds)), flush=True)
        if not chosen.only or any(word in "three steps hand on" for word in chosen.only):
            print(handed_on(chosen.gigabytes, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
