"""Values of libraries stored by earlier versions are still read.

``tests/marshal/formats/goldens`` is a store as in ``tests/marshal/goldens``: never written again.
To add a value, put it into `VALUES` and run ``python tests/marshal/formats/test_goldens_libraries.py``,
which only adds.
"""

import importlib
import shutil
from pathlib import Path

import pytest

from kalelite.marshal import Store

FOLDER = Path(__file__).parent / "goldens"
INDEX = FOLDER / "values.txt"


def library(name):
    return importlib.import_module(name)


def many_texts():
    """So many that they are no longer in the pickle: few strings, and strings that all differ."""
    np = library("numpy")
    numbers = range(33_000)
    few = [f"é{i % 3}" for i in numbers]
    return np.array([[None if i % 9 == 0 else str(i) for i in numbers], few], object)


def torch_state():
    torch = library("torch")
    whole = torch.arange(6.0)
    return {"whole": whole, "view": whole[2:4].reshape(2, 1), "half": torch.ones(2).half()}


def sparse():
    return library("scipy.sparse").csr_matrix([[0, 1.5, 0], [2.5, 0, 0]])


def estimator():
    linear = library("sklearn.linear_model")
    return linear.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])


def image():
    return library("PIL.Image").new("RGB", (2, 3), (10, 20, 30))


def arrow():
    pa = library("pyarrow")
    return pa.table({"a": [1, None], "s": ["x", "é"]}).replace_schema_metadata({"k": "v"})


# name -> (library that has to be there, how it is made)
VALUES = {
    "many-texts": ("pyarrow", many_texts),
    "periods": (
        "pandas",
        lambda: library("pandas").Series(library("pandas").period_range("2024", periods=2, freq="D")),
    ),
    "arrow": ("pyarrow", arrow),
    "polars": ("polars", lambda: library("polars").DataFrame({"a": [1, None], "s": ["x", "y"]})),
    "torch": ("torch", torch_state),
    "sparse": ("scipy", sparse),
    "estimator": ("sklearn", estimator),
    "image": ("PIL", image),
}  # fmt: skip


def text_of(value):
    """What tells one value of these from another."""
    if isinstance(value, dict):
        return [(key, text_of(item)) for key, item in value.items()]
    if type(value).__module__ == "numpy" and value.dtype == object:
        return value.tolist()
    if isinstance(value, list):
        return list(map(text_of, value))
    if type(value).__module__.startswith("scipy"):
        return type(value).__name__, value.toarray().tolist()
    if type(value).__module__.startswith("PIL"):
        return value.mode, value.size, value.tobytes()
    if type(value).__module__.startswith("sklearn"):
        return value.predict([[5.0]]).tolist(), value.get_params()
    if type(value).__module__.startswith("pandas"):
        types = value.dtypes.to_dict() if value.ndim == 2 else value.dtype
        return (
            value.to_csv(),
            types,
            repr(value.index),
            value.columns.tolist() if value.ndim == 2 else (),
        )
    if type(value).__module__.startswith("torch"):
        return value.dtype, value.shape, value.stride(), value.tolist()
    return repr(value), getattr(getattr(value, "schema", None), "metadata", None)


def golden():
    return [line.split() for line in INDEX.read_text().splitlines()] if INDEX.exists() else []


@pytest.mark.parametrize(("name", "reference"), golden())
@pytest.mark.filterwarnings("ignore:.*may not be read as it was:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_stored_value_of_a_library_is_still_read(tmp_path, name, reference):
    needed, make = VALUES[name]
    pytest.importorskip(needed, reason=f"pip install {needed}")
    store = Store(shutil.copytree(FOLDER, tmp_path / "store"))
    value = store.load(reference)
    store.settle()
    assert type(value) is type(make())
    assert text_of(value) == text_of(make())
    if name == "torch":
        value["whole"][2] = -1
        assert value["view"][0, 0] == -1


def test_every_value_of_a_library_has_a_golden():
    assert {name for name, _ in golden()} == set(VALUES)


if __name__ == "__main__":
    known = {name for name, _ in golden()}
    FOLDER.mkdir(exist_ok=True)
    with INDEX.open("a") as index:
        for name, (_, make) in VALUES.items():
            if name not in known:
                print(name, Store(FOLDER, digest="sha256").save(make()), file=index)
    (FOLDER / "tmp").rmdir()
    for path in FOLDER.rglob("*"):  # git keeps no modes, and has to be able to remove it
        path.chmod(path.stat().st_mode | 0o200)
