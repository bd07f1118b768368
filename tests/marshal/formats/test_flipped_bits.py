"""No flipped bit of what a library's values are stored as goes unseen, and none is unpickled."""

import contextlib
import random
import zlib

import numpy as np
import pytest

from kalelite.errors import CorruptObjectError
from kalelite.marshal import Store

ROWS = 150_000  # of eight bytes: mapped, and verified in the background


def library(name):
    return pytest.importorskip(name, reason=f"pip install {name}")


def frame(rows):
    pd = library("pandas")
    return pd.DataFrame(
        {
            "number": np.arange(rows),
            "name": np.array([f"name {i % 7}" for i in range(rows)], dtype=object),
            "kind": pd.Categorical.from_codes(np.arange(rows) % 2, ["a", "b"]),
            "day": pd.date_range("2024", periods=rows, freq="min", tz="UTC"),
        }
    )


def torch_module(size):
    torch = library("torch")
    return {"model": torch.nn.Linear(size, size), "rate": torch.tensor(0.1)}


def booster():
    xgb = library("xgboost")
    return xgb.train({"seed": 1}, xgb.DMatrix(np.eye(50), label=np.arange(50)), 5)


def light():
    lgb = library("lightgbm")
    options = {"verbose": -1, "min_data_in_leaf": 1}
    return lgb.train(options, lgb.Dataset(np.eye(50), label=np.arange(50.0)), 5)


def forest(trees):
    ensemble = library("sklearn.ensemble")
    x = np.random.default_rng(0).normal(size=(2_000, 4))
    return ensemble.RandomForestClassifier(trees, random_state=0).fit(x, x[:, 0] > 0)


VALUES = {
    "numpy": lambda: np.arange(ROWS * 1.0),
    "pickle": lambda: {"weights": np.arange(ROWS * 1.0), "names": [("a", 1), {2, 3}]},
    "pickle without buffers": lambda: [(str(i), i) for i in range(100_000)],
    "objects": lambda: np.array([f"text {i}" for i in range(50_000)], dtype=object),
    "frame": lambda: frame(100),
    "large frame": lambda: frame(ROWS),
    "frames in a list": lambda: [frame(ROWS), frame(3)],
    "series": lambda: frame(ROWS)["name"],
    "table": lambda: library("pyarrow").table({"a": [1, None], "s": ["x", "y"]}),
    "large table": lambda: library("pyarrow").table({"a": np.arange(ROWS), "s": ["xy"] * ROWS}),
    "polars": lambda: library("polars").DataFrame({"a": [1, None], "s": ["x", "y"]}),
    "large polars": lambda: library("polars").DataFrame({"a": np.arange(ROWS)}),
    "sparse": lambda: library("scipy.sparse").eye(100, format="csr"),
    "large sparse": lambda: library("scipy.sparse").eye(ROWS, format="csr"),
    "image": lambda: library("PIL.Image").new("RGB", (20, 30), (1, 2, 3)),
    "large image": lambda: library("PIL.Image").new("RGB", (1_000, 1_000), (1, 2, 3)),
    "torch": lambda: {"w": library("torch").arange(10.0)},
    "large torch": lambda: torch_module(600),
    "estimator": lambda: forest(2),
    "large estimator": lambda: forest(60),
    "xgboost": booster,
    "lightgbm": light,
}


def flip(file, bit):
    """Change one bit where it stands."""
    with file.open("r+b") as stream:
        stream.seek(bit // 8)
        byte = stream.read(1)[0]
        stream.seek(bit // 8)
        stream.write(bytes([byte ^ 1 << bit % 8]))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_flipped_bit_goes_unseen(tmp_path, name):
    store = Store(tmp_path / "store")
    reference = store.save(VALUES[name]())
    store.load(reference)  # for what libraries set up once
    store.settle()
    careful = Store(store.folder, verify="before")
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    for file in files:
        file.chmod(0o644)
    dice = random.Random(zlib.crc32(name.encode()))
    for number in range(1_000):
        file = dice.choice(files)
        # Half of them where the value begins: manifests, and the frames that say what is what.
        size = min(file.stat().st_size, 2_000 if number % 2 else 1 << 40)
        bit = dice.randrange(size * 8)
        flip(file, bit)
        with pytest.raises(CorruptObjectError):
            (careful if number % 3 == 0 else store).load(reference)
            store.settle()
        with contextlib.suppress(CorruptObjectError):  # what still goes on in the background
            store.settle()
        flip(file, bit)
    store.load(reference)
    store.settle()


@pytest.mark.parametrize("verify", ["before", "background", "off"])
def test_a_damaged_pickle_does_not_run(tmp_path, verify, monkeypatch):
    store = Store(tmp_path / "store", verify=verify)
    reference = store.save({"weights": np.arange(ROWS * 1.0), "names": [("a", 1)]})
    (file,) = (path for path in (store.folder / "payloads").rglob("*") if path.is_file())
    file.chmod(0o644)
    flip(file, 300)
    monkeypatch.setattr("pickle.loads", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(CorruptObjectError, match="damaged"):
        store.load(reference)
