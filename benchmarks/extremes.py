"""Values of unusual shape, each saved and loaded beside pickle 5: processor time, in one run.

    python benchmarks/extremes.py [rounds]

The least of the rounds is shown. A value that cannot be saved is refused by both.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kalelite.errors import UnmarshallableError
from kalelite.marshal import Store


class Point:
    """A small object."""

    def __init__(self, x: int) -> None:
        self.x = x
        self.label = "point"


def points() -> list[Point]:
    return [Point(x) for x in range(100_000)]


def repeated() -> list[str]:
    text = "a text that stands in a list many times over " * 2000
    return [text] * 1500


def wide() -> Any:
    import numpy as np
    import pandas as pd

    return pd.DataFrame({f"c{n}": np.arange(1000) * n for n in range(4000)})


def hopeless() -> list[Any]:
    return [*(Point(x) for x in range(200_000)), threading.Lock()]


def seconds(action: Callable[[], Any]) -> float:
    begun = time.process_time()
    action()
    return time.process_time() - begun


def both_ways(store: Store, value: Any) -> float:
    return seconds(lambda: store.load(store.save(value)))


def pickled(folder: Path, value: Any) -> float:
    path = folder / "pickle"

    def act() -> None:
        path.write_bytes(pickle.dumps(value, 5))
        pickle.loads(path.read_bytes())

    return seconds(act)


def refused(store: Store, value: Any) -> float:
    def act() -> None:
        try:
            store.save(value)
        except UnmarshallableError:
            return
        raise SystemExit("it was not refused")

    return seconds(act)


def unpickled(_: Path, value: Any) -> float:
    def act() -> None:
        try:
            pickle.dumps(value, 5)
        except TypeError:
            return
        raise SystemExit("it was not refused")

    return seconds(act)


ROWS: list[tuple[str, Callable[[], Any], Any, Any]] = [
    ("100,000 small objects", points, both_ways, pickled),
    ("a string 1,500 times in a list", repeated, both_ways, pickled),
    ("a frame of 4,000 columns", wide, both_ways, pickled),
    ("refusing 200,000 objects", hopeless, refused, unpickled),
]


def hole(folder: Path) -> float:
    """Seconds to hand on and verify a sparse file of 10 GB that holds 1 MB."""
    path = folder / "sparse"
    with path.open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(10 << 30)
    store = Store(folder / "store", verify="before")
    return seconds(lambda: os.stat(store.load(store.save(path))))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{'milliseconds of processor time':34} kalelite  pickle 5     ratio")
    for name, make, ours, theirs in ROWS:
        if make is wide and importlib.util.find_spec("pandas") is None:
            print(f"{name}: left out; pip install pandas")
            continue
        value, mine, other = make(), [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                mine.append(ours(Store(f"{folder}/store"), value))
                other.append(theirs(Path(folder), value))
        a, b = min(mine), min(other)
        print(f"{name:34} {a * 1e3:8.1f} {b * 1e3:9.1f} {a / b:9.2f}")
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'a sparse file of 10 GB, 1 MB in it':34} {hole(Path(folder)) * 1e3:8.1f}")


if __name__ == "__main__":
    main()
